/** A messaging engine behind a gRPC service, and its client. */
module dev.mullion.messaging.grpc {
  exports dev.mullion.messaging.grpc;
  exports dev.mullion.messaging.grpc.v1;

  requires transitive com.google.protobuf;
  requires transitive dev.mullion.messaging;
  requires transitive dev.mullion.rpc;
  requires transitive io.grpc;
  requires transitive io.grpc.protobuf;
  requires transitive io.grpc.stub;
  requires com.google.common;
  requires static transitive org.jspecify;
}
