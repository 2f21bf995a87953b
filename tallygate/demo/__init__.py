"""The demo: an access log sent through the regions of the local world, and every count compared with the log's own."""
