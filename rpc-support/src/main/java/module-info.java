/** Servers, channels and streams for gRPC services in production. */
module dev.mullion.rpc {
  exports dev.mullion.rpc;
  exports dev.mullion.rpc.greeter;

  requires transitive com.google.protobuf;
  requires transitive dev.mullion.framing;
  requires transitive io.grpc;
  requires transitive io.grpc.protobuf;
  requires transitive io.grpc.stub;
  requires com.google.common;
  requires io.grpc.internal;
  requires io.grpc.inprocess;
  requires io.grpc.netty;
  requires io.grpc.services;
  requires io.grpc.util;
  requires io.netty.buffer;
  requires io.netty.codec.http2;
  requires io.netty.common;
  requires io.netty.handler;
  requires io.netty.transport;
  requires java.logging;
  requires static io.grpc.opentelemetry;
  requires static io.opentelemetry.api;
  requires static io.opentelemetry.context;
  requires static micrometer.core;
  // Always needed, but its name comes from its jar's file name and may be another one at run time.
  // It is read under any name: a module that reads one automatic module reads all of them.
  requires static proto.google.common.protos;
  requires static transitive org.jspecify;
}
