package dev.mullion.rpc;

import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.internal.GrpcUtil;
import io.grpc.opentelemetry.GrpcOpenTelemetry;
import io.grpc.opentelemetry.InternalGrpcOpenTelemetry;
import io.opentelemetry.api.OpenTelemetry;
import java.util.function.Consumer;

/** Metrics and traces. A class of its own, since grpc-opentelemetry may be absent. */
final class Telemetry {
  private static final boolean TRACED_ANYWAY =
      GrpcUtil.getFlag("GRPC_EXPERIMENTAL_ENABLE_OTEL_TRACING", false);

  private Telemetry() {}

  static void configure(ServerBuilder<?> builder, OpenTelemetry openTelemetry) {
    // Of these gRPC calls the last one first: this one is called in the span of the call.
    builder.intercept(new CallTrace.Kept());
    traced(openTelemetry, telemetry -> telemetry.configureServerBuilder(builder));
  }

  /** Returns what is to be called on the thread of the service. */
  static ServerInterceptor inService() {
    return new CallTrace.Restored();
  }

  static void configure(ManagedChannelBuilder<?> builder, OpenTelemetry openTelemetry) {
    traced(openTelemetry, telemetry -> telemetry.configureChannelBuilder(builder));
    builder.intercept(new CallTrace.Continued());
  }

  /**
   * gRPC traces if the environment says so, or code does by a switch for the whole process, which it
   * looks at while it adds to a builder: others find it as it was.
   */
  private static synchronized void traced(
      OpenTelemetry openTelemetry, Consumer<GrpcOpenTelemetry> adding) {
    GrpcOpenTelemetry.Builder builder = GrpcOpenTelemetry.newBuilder().sdk(openTelemetry);
    InternalGrpcOpenTelemetry.enableTracing(builder, true);
    try {
      adding.accept(builder.build());
    } finally {
      InternalGrpcOpenTelemetry.enableTracing(builder, TRACED_ANYWAY);
    }
  }
}
