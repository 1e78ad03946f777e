/**
 * `influxdb.conf` (InfluxDB 1.x documentation, "Configure InfluxDB"); paths are from the data folder,
 * where it runs.
 */
export function configuration(port: number): string {
  return `# Written by Godwit at each start.
reporting-disabled = true
# For backups by its own means; they are not asked for here, and it cannot be switched off.
bind-address = "127.0.0.1:0"

[meta]
dir = "meta"

[data]
dir = "data"
wal-dir = "wal"
# Kept on disk, so that a server with many series starts as quickly as one with few.
index-version = "tsi1"
max-series-per-database = 0
max-values-per-tag = 0
# What is not written to for a while goes where it can be copied ahead.
cache-snapshot-write-cold-duration = "10s"
query-log-enabled = false

[monitor]
store-enabled = false

[http]
bind-address = "127.0.0.1:${port}"
auth-enabled = true
log-enabled = false
`;
}
