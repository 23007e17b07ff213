package dev.mullion.rpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.ServerStreamTracer;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Context;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * Carries a call's trace with its {@link io.grpc.Context}. gRPC's tracing sets the trace for the
 * thread on which events of a call arrive, but the services of streams run on other threads.
 */
final class TracePropagation {
  private static final io.grpc.Context.Key<AtomicReference<@Nullable Context>> KEY =
      io.grpc.Context.key("mullion-trace");

  private TracePropagation() {}

  /**
   * Adds a holder for the trace to the call's context, before anything else in the call. Every
   * derived context shares it, including contexts derived before the trace is known.
   */
  static final class Room extends ServerStreamTracer.Factory {
    @Override
    public ServerStreamTracer newServerStreamTracer(String fullMethodName, Metadata headers) {
      return new ServerStreamTracer() {
        @Override
        public io.grpc.Context filterContext(io.grpc.Context context) {
          return context.withValue(KEY, new AtomicReference<>());
        }
      };
    }
  }

  private static @Nullable Context current() {
    AtomicReference<@Nullable Context> trace = KEY.get();
    return trace == null ? null : trace.get();
  }

  /** Keeps the current trace for the call. */
  static final class Kept implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      AtomicReference<@Nullable Context> room = KEY.get();
      if (room != null) {
        room.set(Context.current());
      }
      return next.startCall(call, headers);
    }
  }

  /** Makes the trace of the call's context current. */
  static final class Restored implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Context trace = current();
      return trace == null
          ? next.startCall(call, headers)
          : new Traced<>(
              trace, trace.wrapSupplier(() -> next.startCall(call, headers)).get());
    }
  }

  /**
   * Continues the trace in calls made elsewhere, such as after a stage, if there is no current
   * span.
   */
  record Continued(LongAdder failures) implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      Context trace = current();
      return trace == null || isInSpan()
          ? next.newCall(method, options)
          : trace.wrapSupplier(() -> next.newCall(method, options)).get();
    }

    /** Guards the check, since the current span is the user's code. */
    private boolean isInSpan() {
      try {
        return Span.current().getSpanContext().isValid();
      } catch (Throwable thrown) {
        ObserverFailures.failed(failures, this, thrown);
        return false;
      }
    }
  }

  private static final class Traced<Q> extends SimpleForwardingServerCallListener<Q> {
    private final Context trace;

    Traced(Context trace, ServerCall.Listener<Q> listener) {
      super(listener);
      this.trace = trace;
    }

    @Override
    public void onMessage(Q message) {
      trace.wrap(() -> super.onMessage(message)).run();
    }

    @Override
    public void onHalfClose() {
      trace.wrap(super::onHalfClose).run();
    }

    @Override
    public void onReady() {
      trace.wrap(super::onReady).run();
    }

    @Override
    public void onCancel() {
      trace.wrap(super::onCancel).run();
    }

    @Override
    public void onComplete() {
      trace.wrap(super::onComplete).run();
    }
  }
}
