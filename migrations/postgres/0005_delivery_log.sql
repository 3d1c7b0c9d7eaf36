-- Indexes for the delivery log, newest first: by endpoint, and by status.
-- By message: to find out whether a delivery was repeated since.

DROP INDEX deliveries_endpoint;
DROP INDEX deliveries_message;
CREATE INDEX deliveries_endpoint ON deliveries (endpoint_id, status, id);
CREATE INDEX deliveries_log ON deliveries (endpoint_id, id);
CREATE INDEX deliveries_message ON deliveries (message_id, endpoint_id, id);
