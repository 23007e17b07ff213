package dev.mullion.rpc;

import io.grpc.ForwardingServerBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerStreamTracer;
import java.util.ArrayList;
import java.util.List;

/**
 * A server's builder as observers see it: their tracers are kept apart, for {@link StreamTracers}
 * to tell them of calls. gRPC by itself would not tell them of the end of a call that is malformed.
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
