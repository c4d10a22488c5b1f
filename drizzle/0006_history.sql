CREATE TABLE `history_samples` (
	`tier` integer NOT NULL,
	`slot` integer NOT NULL,
	`started_at` integer NOT NULL,
	`sample` text NOT NULL,
	PRIMARY KEY(`tier`, `slot`)
);
