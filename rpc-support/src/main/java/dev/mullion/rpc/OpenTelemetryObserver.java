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
 * Recv.hello.Greeter.SayHello} and {@code Sent.hello.Greeter.SayHello} for spans; each attempt of a
 * channel is a span inside that of its call. It needs {@code io.grpc:grpc-opentelemetry} on the
 * class path. Calls of health and the other standard services are among them.
 *
 * <pre>{@code
 * RpcChannel channel = RpcChannel.builder()
 *     .address("localhost", port)
 *     .observe(OpenTelemetryObserver.of(openTelemetry))
 *     .build();
 * }</pre>
 *
 * <p>A server's span continues the trace of its client if the given OpenTelemetry has a propagator
 * for it, such as that of W3C, which one made by hand does not have by itself. The span is the
 * current one of the threads on which services run, also those of streams. Calls made inside a call
 * over a channel that is observed too continue its trace, on any thread that has the call's {@link
 * io.grpc.Context}, which takes the deadline along too.
 *
 * <p>What the given OpenTelemetry throws changes no call: it is counted, in {@link
 * RpcCounters#observersFailed} of a server and {@link #failures} for channels.
 */
public final class OpenTelemetryObserver extends RpcObserver {
  private final OpenTelemetry openTelemetry;

  private OpenTelemetryObserver(OpenTelemetry openTelemetry) {
    this.openTelemetry = openTelemetry;
  }

  /**
   * Returns an observer that measures and traces with this.
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
    // Of these gRPC calls the last one first: this one is called in the span of the call.
    builder.intercept(new TracePropagation.Kept());
    traced(failed, telemetry -> telemetry.configureServerBuilder(builder));
  }

  /** It is called on the thread of the service. */
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
   * gRPC traces if the environment says so, or code does by a switch for the whole process, which
   * it looks at while it adds to a builder: others find it as it was.
   */
  private static final class Tracing {
    private static final boolean ANYWAY =
        GrpcUtil.getFlag("GRPC_EXPERIMENTAL_ENABLE_OTEL_TRACING", false);

    /**
     * How many add to a builder at the moment: the user's OpenTelemetry is called under no lock.
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
