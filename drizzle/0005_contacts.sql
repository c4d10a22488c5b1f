CREATE TABLE `contacts` (
	`slug` text PRIMARY KEY NOT NULL,
	`url` text NOT NULL,
	`name` text DEFAULT '' NOT NULL,
	`created_at` integer NOT NULL
);
