package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.io.InputStream;
import java.util.concurrent.Executor;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The first of a server's interceptors. It refuses calls that are too many, ends those that take too
 * long or break a limit, and maps what services throw. Unary calls come to it on their thread, streams
 * on the event loop: it gives them threads if there are any.
 */
record CallGuard(
    int maxCalls,
    MessageLimits limits,
    CallTimeouts timeouts,
    ExceptionMapping mapping,
    @Nullable Executor streamThreads,
    @Nullable Executor callbacks)
    implements ServerInterceptor {
  /** A client that retries does so after this time, whatever its policy says of the status. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    CallTracker.OpenCall open = CallTracker.current();
    if (open.kind == CallTracker.Kind.REFUSED) {
      refuse(call);
      return deaf();
    }
    GuardedCall<Q, R> guarded = new GuardedCall<>(call, limits, mapping);
    open.guardedBy(guarded);
    if (guarded.ended() != null) {
      return deaf();
    }
    Context limited = open.kind == CallTracker.Kind.COUNTED ? timeouts.limit(guarded) : null;
    if (streamThreads == null || callbacks == null || !isStream(open.kind, call)) {
      return listener(guarded, headers, next, limited);
    }
    CallEvents events =
        new CallEvents(streamThreads, callbacks, limited == null ? Context.current() : limited);
    open.runIn(events);
    // One that has ended while it waited for a thread is none of its service's any more.
    return new StreamListener<>(
        open,
        events,
        guarded,
        limits,
        () -> guarded.ended() == null ? listener(guarded, headers, next, null) : deaf());
  }

  private static <Q> ServerCall.Listener<Q> deaf() {
    return new ServerCall.Listener<>() {};
  }

  /** Returns whether its events come on the event loop, which must not wait. */
  static boolean isStream(CallTracker.Kind kind, ServerCall<?, ?> call) {
    return kind == CallTracker.Kind.COUNTED
        && call.getMethodDescriptor().getType() != MethodDescriptor.MethodType.UNARY;
  }

  /** Starts a call in its service, in another context than the current one if there is one. */
  private <Q, R> ServerCall.Listener<Q> listener(
      GuardedCall<Q, R> guarded,
      Metadata headers,
      ServerCallHandler<Q, R> next,
      @Nullable Context context) {
    try {
      return new Guarded<>(
          guarded,
          limits,
          context == null
              ? next.startCall(guarded, headers)
              : Contexts.interceptCall(context, guarded, headers, next));
    } catch (Throwable thrown) {
      guarded.fail(thrown);
      return deaf();
    }
  }

  private void refuse(ServerCall<?, ?> call) {
    Metadata trailers = new Metadata();
    // Not all at the same moment.
    trailers.put(PUSHBACK, String.valueOf(ThreadLocalRandom.current().nextInt(50, 151)));
    call.close(
        Status.RESOURCE_EXHAUSTED.withDescription("too many calls, maxCalls " + maxCalls),
        trailers);
  }

  /** Passes on what happens until the call is ended, and sees what is thrown. */
  private static final class Guarded<Q> extends SimpleForwardingServerCallListener<Q> {
    private final GuardedCall<Q, ?> call;
    private final MessageLimits limits;

    Guarded(GuardedCall<Q, ?> call, MessageLimits limits, ServerCall.Listener<Q> listener) {
      super(listener);
      this.call = call;
      this.limits = limits;
    }

    @Override
    public void onMessage(Q message) {
      if (call.ended() == null) {
        try {
          if (message instanceof InputStream stream) {
            limits.checkInbound(stream);
          }
          super.onMessage(message);
        } catch (Throwable thrown) {
          call.fail(thrown);
        }
      }
    }

    @Override
    public void onHalfClose() {
      if (call.ended() == null) {
        guard(super::onHalfClose);
      }
    }

    @Override
    public void onReady() {
      if (call.ended() == null) {
        guard(super::onReady);
      }
    }

    /** For the service it is a cancellation when another has ended its call. */
    @Override
    public void onComplete() {
      if (call.ended() == null) {
        super.onComplete();
      } else {
        super.onCancel();
      }
    }

    /** Checked exceptions come too, from languages that do not check them. */
    private void guard(Runnable event) {
      try {
        event.run();
      } catch (Throwable thrown) {
        call.fail(thrown);
      }
    }
  }
}
