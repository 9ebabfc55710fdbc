"""The only room that knows protobuf and gRPC: who calls, what was asked, how it is answered."""
