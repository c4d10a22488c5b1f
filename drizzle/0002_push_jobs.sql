CREATE TABLE `push_jobs` (
	`device_token` text PRIMARY KEY NOT NULL
);
--> statement-breakpoint
CREATE INDEX `push_tokens_device_token` ON `push_tokens` (`device_token`);