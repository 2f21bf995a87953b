"""Access logs of other servers: who called, when, and from which site. Combined format or JSON lines, gzip or not, of
any size: a log is read once, line by line."""
