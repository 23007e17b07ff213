package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallExecutorSupplier;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.io.InputStream;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * The first of a server's interceptors. It refuses calls that are too many, ends those that take too
 * long or break a limit, and maps what services throw. It gives calls their threads, if there are any:
 * unary ones before they come to it, streams afterwards. Calls that are refused stay on the event loop,
 * so that they need not wait for a thread, and so do those of health, which must be answered when all
 * threads are taken.
 */
record ServerGuard(
    int maxCalls,
    MessageLimits limits,
    CallTimeouts timeouts,
    ExceptionMapping mapping,
    ServerThreads threads)
    implements ServerInterceptor, ServerCallExecutorSupplier {
  /** A client that retries does so after this time, whatever its policy says of the status. */
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  static final Status EXECUTOR_IS_FULL =
      Status.UNAVAILABLE.withDescription("the server's executor refuses calls");

  /** Returns one with other limits. */
  ServerGuard with(MessageLimits others) {
    return new ServerGuard(maxCalls, others, timeouts, mapping, threads);
  }

  /** Called on the event loop: from here on the call's time passes, also while it waits for a thread. */
  @Override
  public <Q, R> @Nullable Executor getExecutor(ServerCall<Q, R> call, Metadata headers) {
    CallRegistry.OpenCall open = CallRegistry.current();
    Executor calls = threads.calls;
    if (calls == null || open.kind != CallRegistry.Kind.COUNTED || isStream(open.kind, call)) {
      return null;
    }
    GuardedCall<Q, R> guarded = guarded(open, call);
    Executor turns = open.on(calls);
    return task -> {
      try {
        turns.execute(task);
      } catch (RejectedExecutionException full) {
        guarded.end(EXECUTOR_IS_FULL, new Metadata());
        // What is left of a call that is over, and perhaps was with its service before.
        threads.deliveries.execute(task);
      }
    };
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    CallRegistry.OpenCall open = CallRegistry.current();
    if (open.kind == CallRegistry.Kind.REFUSED) {
      refuse(call);
      return deaf();
    }
    GuardedCall<Q, R> guarded = guarded(open, call);
    CallContext own = guarded.context();
    Context context = own == null ? Context.current() : own.context();
    Executor calls = threads.calls;
    if (calls == null || !isStream(open.kind, call)) {
      return started(open, guarded, headers, next, context);
    }
    CallExecutor events = new CallExecutor(open.on(calls), threads.deliveries, context);
    if (own != null) {
      own.endAfter(events);
    }
    return new StreamListener<>(
        open, events, guarded, limits, () -> started(open, guarded, headers, next, context));
  }

  /** Returns the call under guard, of which there is one, whoever asks first. */
  @SuppressWarnings("unchecked")
  private <Q, R> GuardedCall<Q, R> guarded(CallRegistry.OpenCall open, ServerCall<Q, R> call) {
    GuardedCall<?, ?> before = open.guarded();
    if (before != null) {
      return (GuardedCall<Q, R>) before;
    }
    GuardedCall<Q, R> guarded = new GuardedCall<>(call, limits, mapping);
    guarded.sentOn(open.stream());
    open.guardedBy(guarded);
    if (open.kind == CallRegistry.Kind.COUNTED && guarded.ended() == null) {
      timeouts.limit(open, guarded);
    }
    return guarded;
  }

  /** One that has ended while it waited for a thread is none of its service's any more. */
  private <Q, R> ServerCall.Listener<Q> started(
      CallRegistry.OpenCall open,
      GuardedCall<Q, R> guarded,
      Metadata headers,
      ServerCallHandler<Q, R> next,
      Context context) {
    return guarded.ended() == null && !open.isOver()
        ? listener(guarded, headers, next, context)
        : deaf();
  }

  private static <Q> ServerCall.Listener<Q> deaf() {
    return new ServerCall.Listener<>() {};
  }

  /** Returns whether its events come on the event loop, which must not wait. */
  private static boolean isStream(CallRegistry.Kind kind, ServerCall<?, ?> call) {
    return kind == CallRegistry.Kind.COUNTED
        && call.getMethodDescriptor().getType() != MethodDescriptor.MethodType.UNARY;
  }

  /** Starts a call in its service, in a context that may be the current one. */
  private <Q, R> ServerCall.Listener<Q> listener(
      GuardedCall<Q, R> guarded, Metadata headers, ServerCallHandler<Q, R> next, Context context) {
    try {
      return new Guarded<>(
          guarded,
          limits,
          context == Context.current()
              ? next.startCall(guarded, headers)
              : Contexts.interceptCall(context, guarded, headers, next));
    } catch (Throwable thrown) {
      guarded.fail(thrown);
      return deaf();
    }
  }

  private void refuse(ServerCall<?, ?> call) {
    call.close(
        Status.RESOURCE_EXHAUSTED.withDescription("too many calls, maxCalls " + maxCalls),
        pushback());
  }

  /** Returns trailers that tell a client to come again, but not all of them at the same moment. */
  static Metadata pushback() {
    Metadata trailers = new Metadata();
    trailers.put(PUSHBACK, String.valueOf(ThreadLocalRandom.current().nextInt(50, 151)));
    return trailers;
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
          super.onMessage(checked(message));
        } catch (Throwable thrown) {
          call.fail(thrown);
        }
      }
    }

    @SuppressWarnings("unchecked")
    private Q checked(Q message) {
      return message instanceof InputStream stream ? (Q) limits.inbound(stream) : message;
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

    /**
     * For the service it is a cancellation when another has ended its call. What is thrown changes nothing
     * any more.
     */
    @Override
    public void onComplete() {
      CallExecutor.run(call.ended() == null ? super::onComplete : super::onCancel);
    }

    @Override
    public void onCancel() {
      CallExecutor.run(super::onCancel);
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
