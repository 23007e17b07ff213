/** A messaging engine behind a gRPC service, and its client. */
module dev.mullion.messaging.grpc {

  requires transitive dev.mullion.messaging;
  requires transitive dev.mullion.rpc;
  requires static transitive org.jspecify;
}
