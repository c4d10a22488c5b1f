CREATE TABLE `push_tokens` (
	`username` text NOT NULL,
	`device_token` text NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`username`, `device_token`)
);
