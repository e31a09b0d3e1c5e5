"""Where requests wait: queues before servers, cores that are shared, and what the spread of service times does there."""
