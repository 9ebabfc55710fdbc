"""The tests. They mirror the tree; `flows` are whole journeys, `faults` campaigns, `house` the rules themselves."""
