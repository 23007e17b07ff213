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
import java.io.InputStream;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * The first of a server's interceptors. It rejects excess calls, ends calls that exceed a timeout
 * or a limit, and maps the exceptions of services. It assigns handler threads, if there are any: to
 * unary calls before they reach it, to streams afterwards. Rejected calls stay on the event loop,
 * so that they need not wait for a thread. So do calls to health, which must be answered when all
 * threads are busy.
 */
record ServerGuard(
    CallRegistry registry,
    MessageLimits limits,
    CallTimeouts timeouts,
    ExceptionMapping mapping,
    ServerThreads threads)
    implements ServerInterceptor, ServerCallExecutorSupplier {
  /** Returns a copy with other limits. */
  ServerGuard with(MessageLimits others) {
    return new ServerGuard(registry, others, timeouts, mapping, threads);
  }

  /**
   * Called on the event loop. The call's timeout starts here, and includes the wait for a thread.
   */
  @Override
  public <Q, R> @Nullable Executor getExecutor(ServerCall<Q, R> call, Metadata headers) {
    OpenCall open = OpenCall.current();
    if (open.kind != OpenCall.Kind.COUNTED || !isUnary(call)) {
      return null;
    }
    AcceptedCall<Q, R> accepted = accepted(open, call);
    FirstTurn turn = accepted.turn();
    if (turn == null) {
      return null;
    }
    return task -> {
      try {
        turn.execute(task);
      } catch (RejectedExecutionException full) {
        accepted.call().end(CallExecutor.FULL, new Metadata());
        // The rest of a call that is over, and may have reached its service before.
        threads.deliveries.execute(task);
      }
    };
  }

  @Override
  public <Q, R> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
    OpenCall open = OpenCall.current();
    if (open.kind == OpenCall.Kind.REFUSED) {
      call.close(registry.tooMany(), CallRegistry.pushback());
      return noopListener();
    }
    AcceptedCall<Q, R> accepted = accepted(open, call);
    GuardedCall<Q, R> guarded = accepted.call();
    CallContext own = accepted.context();
    Context context = own == null ? Context.current() : own.context();
    StreamListener<Q> stream = accepted.stream();
    return stream == null
        ? started(open, guarded, headers, next, context)
        : stream.start(() -> started(open, guarded, headers, next, context));
  }

  /** Returns the accepted call, which is created once, on first use. */
  @SuppressWarnings("unchecked")
  private <Q, R> AcceptedCall<Q, R> accepted(OpenCall open, ServerCall<Q, R> call) {
    AcceptedCall<?, ?> before = open.accepted();
    if (before != null) {
      return (AcceptedCall<Q, R>) before;
    }
    GuardedCall<Q, R> guarded =
        new GuardedCall<>(call, limits, mapping, open.stream(), open::changed);
    AcceptedCall<Q, R> accepted = open.kind == OpenCall.Kind.COUNTED && open.ended() == null
        ? counted(open, guarded)
        : new AcceptedCall<>(guarded, null, null, null);
    open.accept(accepted);
    return accepted;
  }

  private <Q, R> AcceptedCall<Q, R> counted(OpenCall open, GuardedCall<Q, R> guarded) {
    Executor calls = threads.calls;
    FirstTurn turn = calls == null ? null : open.newTurn(calls);
    CallContext own = timeouts.newContext(
        open,
        guarded.getMethodDescriptor(),
        turn == null || isUnary(guarded)
            ? null
            : context -> new CallExecutor(turn, threads.deliveries, context));
    CallExecutor events = own.events();
    StreamListener<Q> stream =
        events == null ? null : new StreamListener<>(open, events, guarded, limits);
    return new AcceptedCall<>(guarded, own, turn, stream);
  }

  /** Events of unary calls arrive on a handler thread, and those of streams on the event loop. */
  private static boolean isUnary(ServerCall<?, ?> call) {
    return call.getMethodDescriptor().getType() == MethodDescriptor.MethodType.UNARY;
  }

  /** Starts the call in its service, unless it has ended while it waited for a thread. */
  private <Q, R> ServerCall.Listener<Q> started(
      OpenCall open,
      GuardedCall<Q, R> guarded,
      Metadata headers,
      ServerCallHandler<Q, R> next,
      Context context) {
    return guarded.ended() == null && !open.isOver()
        ? listener(guarded, headers, next, context)
        : noopListener();
  }

  private static <Q> ServerCall.Listener<Q> noopListener() {
    return new ServerCall.Listener<>() {};
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
      return noopListener();
    }
  }

  /** Passes on events until the call is ended, and handles exceptions. */
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
     * Reports a cancellation to the service if the server has ended its call. Exceptions have no
     * effect any more.
     */
    @Override
    public void onComplete() {
      CallExecutor.run(call.ended() == null ? super::onComplete : super::onCancel);
    }

    @Override
    public void onCancel() {
      CallExecutor.run(super::onCancel);
    }

    /** Catches everything, since languages without checked exceptions may throw any of them. */
    private void guard(Runnable event) {
      try {
        event.run();
      } catch (Throwable thrown) {
        call.fail(thrown);
      }
    }
  }
}
