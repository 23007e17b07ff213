package dev.mullion.rpc;

import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import org.jspecify.annotations.Nullable;

/** A server's call, as seen by the writer of its replies. */
record ServedCall(
    OpenCall open, ServerCallStreamObserver<?> observer, Context context, Thread maker)
    implements WrittenCall {
  ServedCall(OpenCall open, ServerCallStreamObserver<?> observer) {
    this(open, observer, Context.current(), Thread.currentThread());
  }

  @Override
  public @Nullable Status over() {
    Status ended = open.ended();
    if (ended != null || !observer.isCancelled()) {
      return ended;
    }
    return context.getDeadline() != null && context.getDeadline().isExpired()
        ? Status.DEADLINE_EXCEEDED.withDescription("the client's deadline has passed")
        : Status.CANCELLED.withDescription("the client has cancelled the call");
  }

  @Override
  public boolean isEndedByService() {
    AcceptedCall<?, ?> accepted = open.accepted();
    return accepted != null && accepted.call().isEndedByService();
  }

  @Override
  public boolean isStopping() {
    return open.isStopping();
  }

  @Override
  public void failed(Throwable thrown) {
    open.fail(thrown);
  }

  @Override
  public boolean mustNotBlock() {
    return open.streamListener() == null && Thread.currentThread() == maker;
  }

  @Override
  public void run(Runnable callback) {
    open.callback(context.wrap(callback));
  }
}
