CREATE TABLE `audit_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`operation` text NOT NULL,
	`face` text NOT NULL,
	`done` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `domain_quotas` (
	`domain` text PRIMARY KEY NOT NULL,
	`max_storage` integer NOT NULL
);
