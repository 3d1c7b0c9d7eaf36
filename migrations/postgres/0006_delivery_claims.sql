-- A claim walks from endpoint to endpoint, past the backlog of one that does not answer.

CREATE INDEX deliveries_waiting ON deliveries (endpoint_id, next_attempt_at) WHERE status = 'pending';
