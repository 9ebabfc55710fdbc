"""The core: validates, decides, commits. It speaks gRPC, to its store and to its cache, and never to a partner."""
