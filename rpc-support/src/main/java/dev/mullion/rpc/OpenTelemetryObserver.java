package dev.mullion.rpc;

import static java.util.Objects.requireNonNull;

import dev.mullion.net.base.Check;
import io.grpc.ManagedChannelBuilder;
import io.grpc.ServerBuilder;
import io.grpc.ServerInterceptor;
import io.grpc.internal.GrpcUtil;
import io.grpc.opentelemetry.GrpcOpenTelemetry;
import io.grpc.opentelemetry.InternalGrpcOpenTelemetry;
import io.opentelemetry.api.OpenTelemetry;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;

/**
 * Measures and traces calls with OpenTelemetry, under gRPC's own names: {@code
 * grpc.server.call.duration} and {@code grpc.client.call.duration} for metrics, {@code
 * Recv.hello.Greeter.SayHello} and {@code Sent.hello.Greeter.SayHello} for spans. Each attempt of a
 * channel is a span inside the span of its call. It needs {@code io.grpc:grpc-opentelemetry} on the
 * class path. Calls to health and the other standard services are included.
 *
 * <pre>{@code
 * RpcChannel channel = RpcChannel.builder()
 *     .address("localhost", port)
 *     .observe(OpenTelemetryObserver.of(openTelemetry))
 *     .build();
 * }</pre>
 *
 * <p>A server's span continues the trace of its client if the given OpenTelemetry has a propagator
 * for it, such as the W3C propagator; an instance built by hand has none by default. The span is
 * current on the threads that run services, including those of streams. Calls made inside a call
 * continue its trace if their channel is observed too, on any thread that has the call's {@link
 * io.grpc.Context}, which also carries the deadline.
 *
 * <p>Exceptions of the given OpenTelemetry do not affect calls. They are counted in {@link
 * RpcCounters#observersFailed} for a server and in {@link #failures} for channels.
 */
public final class OpenTelemetryObserver extends RpcObserver {
  private final OpenTelemetry openTelemetry;

  private OpenTelemetryObserver(OpenTelemetry openTelemetry) {
    this.openTelemetry = openTelemetry;
  }

  /**
   * Returns an observer that measures and traces with the given OpenTelemetry.
   *
   * @throws IllegalStateException if grpc-opentelemetry is missing
   */
  @SuppressWarnings("exports") // Only callers need OpenTelemetry.
  public static OpenTelemetryObserver of(OpenTelemetry openTelemetry) {
    checkPresent();
    return new OpenTelemetryObserver(requireNonNull(openTelemetry, "openTelemetry"));
  }

  private static void checkPresent() {
    Check.present(
        OpenTelemetryObserver.class,
        "openTelemetry",
        "io.grpc.opentelemetry.GrpcOpenTelemetry",
        "io.grpc:grpc-opentelemetry",
        "io.grpc.opentelemetry");
  }

  @Override
  void configure(ServerBuilder<?> builder, LongAdder failed) {
    builder.addStreamTracerFactory(new TracePropagation.Room());
    // gRPC calls the last interceptor first, so this one is called in the span of the call.
    builder.intercept(new TracePropagation.Kept());
    traced(failed, telemetry -> telemetry.configureServerBuilder(builder));
  }

  /** The interceptor is called on the thread of the service. */
  @Override
  List<ServerInterceptor> inServices() {
    return List.of(new TracePropagation.Restored());
  }

  @Override
  void configure(ManagedChannelBuilder<?> builder) {
    traced(failures, telemetry -> telemetry.configureChannelBuilder(builder));
    builder.intercept(new TracePropagation.Continued(failures));
  }

  private void traced(LongAdder failed, Consumer<GrpcOpenTelemetry> adding) {
    OpenTelemetry guarded = GuardedTelemetry.of(openTelemetry, failed);
    Tracing.on(GrpcOpenTelemetry.newBuilder().sdk(guarded), adding);
  }

  /**
   * gRPC traces if an environment variable or a static switch is set. It reads the switch while it
   * configures a builder, so the switch is reset afterwards.
   */
  private static final class Tracing {
    private static final boolean ANYWAY =
        GrpcUtil.getFlag("GRPC_EXPERIMENTAL_ENABLE_OTEL_TRACING", false);

    /**
     * How many threads configure a builder now: the user's OpenTelemetry is not called under a
     * lock.
     */
    private static int adding;

    static void on(GrpcOpenTelemetry.Builder builder, Consumer<GrpcOpenTelemetry> added) {
      change(builder, 1);
      try {
        added.accept(builder.build());
      } finally {
        change(builder, -1);
      }
    }

    private static synchronized void change(GrpcOpenTelemetry.Builder builder, int more) {
      adding += more;
      InternalGrpcOpenTelemetry.enableTracing(builder, adding > 0 || ANYWAY);
    }
  }
}
