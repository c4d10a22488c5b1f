CREATE TABLE `dns_overrides` (
	`lookup_key` text PRIMARY KEY NOT NULL,
	`target_host` text NOT NULL,
	`comment` text DEFAULT '' NOT NULL,
	`created_at` integer DEFAULT 0 NOT NULL,
	`updated_at` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `exchangers` (
	`name` text PRIMARY KEY NOT NULL,
	`url` text NOT NULL,
	`enabled` integer DEFAULT true NOT NULL,
	`poll_interval` integer DEFAULT 60 NOT NULL,
	`last_poll_at` integer DEFAULT 0 NOT NULL,
	`created_at` integer DEFAULT 0 NOT NULL,
	`updated_at` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `federation_rules` (
	`domain` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `federation_server_stats` (
	`domain` text PRIMARY KEY NOT NULL,
	`failed_http` integer DEFAULT 0 NOT NULL,
	`failed_https` integer DEFAULT 0 NOT NULL,
	`failed_smtp` integer DEFAULT 0 NOT NULL,
	`success_http` integer DEFAULT 0 NOT NULL,
	`success_https` integer DEFAULT 0 NOT NULL,
	`success_smtp` integer DEFAULT 0 NOT NULL,
	`inbound_deliveries` integer DEFAULT 0 NOT NULL,
	`successful_deliveries` integer DEFAULT 0 NOT NULL,
	`total_latency_ms` integer DEFAULT 0 NOT NULL,
	`last_error` text DEFAULT '' NOT NULL,
	`last_active` integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE `federation_silent_dismiss` (
	`domain` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL
);
