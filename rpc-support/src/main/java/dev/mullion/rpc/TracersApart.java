package dev.mullion.rpc;

import io.grpc.ForwardingServerBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerStreamTracer;
import java.util.ArrayList;
import java.util.List;

/**
 * A server's builder for observers. It collects their tracers, so that {@link StreamTracers} can
 * notify them. gRPC itself would not report the end of a malformed call to them.
 */
final class TracersApart extends ForwardingServerBuilder<TracersApart> {
  private final ServerBuilder<?> builder;
  final List<ServerStreamTracer.Factory> tracers = new ArrayList<>();

  TracersApart(ServerBuilder<?> builder) {
    this.builder = builder;
  }

  @Override
  protected ServerBuilder<?> delegate() {
    return builder;
  }

  @Override
  public TracersApart addStreamTracerFactory(ServerStreamTracer.Factory factory) {
    tracers.add(factory);
    return this;
  }
}
