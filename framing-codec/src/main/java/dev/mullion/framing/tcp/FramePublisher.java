package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/** A connection's frames as a publisher; everything happens on the event loop. */
final class FramePublisher implements Flow.Publisher<byte[]> {
  private final FramedConnection connection;
  private final AtomicBoolean subscribed = new AtomicBoolean();

  FramePublisher(FramedConnection connection) {
    this.connection = connection;
  }

  @Override
  public void subscribe(Flow.Subscriber<? super byte[]> subscriber) {
    requireNonNull(subscriber, "subscriber");
    try {
      if (!subscribed.compareAndSet(false, true)) {
        throw new IllegalStateException("publisher has a subscriber already");
      }
      connection.claimOnce("publisher()");
    } catch (IllegalStateException e) {
      subscriber.onSubscribe(new Refused());
      subscriber.onError(e);
      return;
    }
    Subscription subscription = new Subscription(connection, subscriber);
    connection.link().runOnLoop(subscription::start);
  }

  private static final class Refused implements Flow.Subscription {
    @Override
    public void request(long frames) {
      // There is nothing to give.
    }

    @Override
    public void cancel() {
      // There is nothing to end.
    }
  }

  private static final class Subscription implements Flow.Subscription {
    private final FramedConnection connection;
    private Flow.@Nullable Subscriber<? super byte[]> subscriber;
    private long demand;
    private boolean pumping;

    Subscription(FramedConnection connection, Flow.Subscriber<? super byte[]> subscriber) {
      this.connection = connection;
      this.subscriber = subscriber;
    }

    void start() {
      requireNonNull(subscriber, "subscriber").onSubscribe(this);
      ((QueueLink) connection.link()).onArrival(this::pump);
    }

    @Override
    public void request(long frames) {
      connection.link().runOnLoop(() -> requestOnLoop(frames));
    }

    private void requestOnLoop(long frames) {
      if (frames <= 0) {
        fail(new IllegalArgumentException("request: " + frames + " (expected: > 0)"));
        connection.closeWhenSent();
        return;
      }
      demand = demand + frames < 0 ? Long.MAX_VALUE : demand + frames;
      pump();
    }

    @Override
    public void cancel() {
      connection.link().runOnLoop(() -> {
        if (subscriber != null) {
          subscriber = null;
          connection.closeWhenSent();
        }
      });
    }

    /** Gives what is there and asked for. A request from inside is served by the loop that is on. */
    private void pump() {
      if (pumping) {
        return;
      }
      pumping = true;
      try {
        while (subscriber != null && demand > 0) {
          byte[] frame = connection.inbox().poll();
          if (frame == null) {
            break;
          }
          demand--;
          subscriber.onNext(frame);
        }
        completeAtEnd();
      } catch (IOException e) {
        fail(e);
      } finally {
        pumping = false;
      }
    }

    private void completeAtEnd() throws IOException {
      if (subscriber != null && connection.inbox().endsHere()) {
        Flow.Subscriber<? super byte[]> done = subscriber;
        subscriber = null;
        done.onComplete();
      }
    }

    private void fail(Throwable error) {
      Flow.Subscriber<? super byte[]> failed = subscriber;
      if (failed != null) {
        subscriber = null;
        failed.onError(error);
      }
    }
  }
}
