package dev.mullion.rpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.context.Context;

/**
 * Takes a call's trace wherever its {@link io.grpc.Context} goes. gRPC's tracing sets it for the thread
 * on which events of a call arrive, but the services of streams run on others.
 */
final class CallTrace {
  private static final io.grpc.Context.Key<Context> KEY = io.grpc.Context.key("mullion-trace");

  private CallTrace() {}

  /** Puts the current trace into the call's context. */
  static final class Kept implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      return Contexts.interceptCall(
          io.grpc.Context.current().withValue(KEY, Context.current()), call, headers, next);
    }
  }

  /** Makes the trace of the call's context the current one. */
  static final class Restored implements ServerInterceptor {
    @Override
    public <Q, R> ServerCall.Listener<Q> interceptCall(
        ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
      Context trace = KEY.get();
      return trace == null
          ? next.startCall(call, headers)
          : new Traced<>(
              trace, trace.wrapSupplier(() -> next.startCall(call, headers)).get());
    }
  }

  /** Makes it so for calls made elsewhere, such as after a stage, if there is no current one. */
  static final class Continued implements ClientInterceptor {
    @Override
    public <Q, R> ClientCall<Q, R> interceptCall(
        MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
      Context trace = KEY.get();
      return trace == null || Span.current().getSpanContext().isValid()
          ? next.newCall(method, options)
          : trace.wrapSupplier(() -> next.newCall(method, options)).get();
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
