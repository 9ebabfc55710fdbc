"""The twin of PaymentOptions: it takes payments as the partner does, and fails on command."""
