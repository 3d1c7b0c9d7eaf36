-- What became of webhook deliveries, newest first: of an endpoint, and of those of one status.
-- By message: whether one was made again since.

DROP INDEX deliveries_endpoint;
DROP INDEX deliveries_message;
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, status, id);
CREATE INDEX deliveries_log ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_message ON deliveries (message_id, endpoint_id, id);
