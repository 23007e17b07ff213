package dev.mullion.rpc;

import io.grpc.Detachable;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Receives the events of a stream on the event loop and passes them on to threads that may block.
 * Writers that wait for the peer are notified at once, even if those threads are busy.
 */
final class StreamListener<Q> extends ServerCall.Listener<Q> {
  private final OpenCall open;
  private final CallExecutor events;
  private final GuardedCall<Q, ?> call;
  private final MessageLimits limits;

  /**
   * Whether an {@code onReady} event is already queued: a service that writes for hours handles
   * none.
   */
  private final AtomicBoolean readyWaits = new AtomicBoolean();

  /** Used only by the events. */
  private ServerCall.Listener<Q> listener = new ServerCall.Listener<>() {};

  StreamListener(OpenCall open, CallExecutor events, GuardedCall<Q, ?> call, MessageLimits limits) {
    this.open = open;
    this.events = events;
    this.call = call;
    this.limits = limits;
  }

  /** Starts the call in its service as its first event, and returns this. */
  ServerCall.Listener<Q> start(Supplier<ServerCall.Listener<Q>> start) {
    post(() -> listener = start.get());
    return this;
  }

  @Override
  public void onMessage(Q message) {
    if (call.ended() != null) {
      return;
    }
    try {
      Q own = kept(message);
      if (!post(() -> deliver(own))) {
        close(own);
      }
    } catch (Throwable thrown) {
      call.fail(thrown);
    }
  }

  /** Queues an event, and ends the call if a user's executor is full. */
  private boolean post(Runnable event) {
    try {
      events.execute(event);
      return true;
    } catch (RejectedExecutionException full) {
      call.end(CallExecutor.FULL, new Metadata());
      return false;
    }
  }

  /** Keeps the message, which gRPC closes when the event loop returns. */
  @SuppressWarnings("unchecked")
  private Q kept(Q message) throws IOException {
    if (!(message instanceof InputStream stream)) {
      return message;
    }
    InputStream checked = limits.inbound(stream);
    return (Q)
        (checked instanceof Detachable detachable
            ? detachable.detach()
            : WholeMessage.of(checked.readAllBytes()).stream());
  }

  private void deliver(Q message) {
    AtomicReference<@Nullable Q> kept = new AtomicReference<>(message);
    Runnable release = () -> {
      Q own = kept.getAndSet(null);
      if (own != null) {
        close(own);
      }
    };
    events.keptByEvent(release);
    try {
      listener.onMessage(message);
    } finally {
      release.run();
    }
  }

  CallExecutor events() {
    return events;
  }

  private static void close(Object message) {
    if (message instanceof InputStream stream) {
      try {
        stream.close();
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  @Override
  public void onHalfClose() {
    post(() -> listener.onHalfClose());
  }

  @Override
  public void onReady() {
    open.changed();
    Runnable quick = open.whenReady();
    if (quick != null) {
      if (call.ended() == null) {
        CallExecutor.run(quick);
      }
    } else if (readyWaits.compareAndSet(false, true)) {
      post(() -> {
        readyWaits.set(false);
        listener.onReady();
      });
    }
  }

  @Override
  public void onCancel() {
    open.changed();
    events.executeAnyway(() -> listener.onCancel());
  }

  @Override
  public void onComplete() {
    open.changed();
    events.executeAnyway(() -> listener.onComplete());
  }
}
