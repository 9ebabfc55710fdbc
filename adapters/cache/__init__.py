"""What roles keep in Redis. Losing it, its lies or its slowness cost nothing but time, and little of that."""
