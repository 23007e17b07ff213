/** What a gRPC service needs around its stubs. */
// An empty package cannot be exported: dev.mullion.rpc will be, with its first public type.
module dev.mullion.rpc {
  requires transitive com.google.protobuf;
  requires transitive io.grpc;
  requires static transitive org.jspecify;
}
