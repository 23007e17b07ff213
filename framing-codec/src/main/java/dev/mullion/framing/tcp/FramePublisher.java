package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/** A connection's frames as a publisher for one subscriber; runs on the event loop. */
final class FramePublisher implements Flow.Publisher<byte[]> {
  private final Link link;

  FramePublisher(Link link) {
    this.link = link;
  }

  @Override
  public void subscribe(Flow.Subscriber<? super byte[]> subscriber) {
    requireNonNull(subscriber, "subscriber");
    Inbox inbox;
    try {
      inbox = link.inbox("publisher()");
      inbox.claim().claimOnce("publisher()");
    } catch (IllegalStateException e) {
      Refused refused = new Refused();
      subscriber.onSubscribe(refused);
      if (!refused.cancelled) {
        subscriber.onError(e);
      }
      return;
    }
    new Subscription(link, inbox, subscriber).signal();
  }

  private static final class Refused implements Flow.Subscription {
    volatile boolean cancelled;

    @Override
    public void request(long frames) {
      // There are no frames to deliver.
    }

    @Override
    public void cancel() {
      cancelled = true;
    }
  }

  /**
   * Any thread records its demand here and signals. The first signal runs {@link #serve}, which
   * also serves the signals that follow. So one thread at a time calls the subscriber, and never
   * from within one of its own calls.
   */
  private static final class Subscription implements Flow.Subscription {
    private final Link link;
    private final Inbox inbox;
    private final AtomicInteger signals = new AtomicInteger();
    private final AtomicLong demand = new AtomicLong();
    private volatile @Nullable Long badRequest;
    private volatile boolean cancelled;

    // Used only by the thread that serves.
    private Flow.@Nullable Subscriber<? super byte[]> subscriber;
    private boolean introduced;

    Subscription(Link link, Inbox inbox, Flow.Subscriber<? super byte[]> subscriber) {
      this.link = link;
      this.inbox = inbox;
      this.subscriber = subscriber;
    }

    @Override
    public void request(long frames) {
      if (frames <= 0) {
        badRequest = frames;
      } else {
        demand.getAndUpdate(was -> was + frames < 0 ? Long.MAX_VALUE : was + frames);
      }
      signal();
    }

    @Override
    public void cancel() {
      if (!cancelled) {
        cancelled = true;
        signal();
      }
    }

    void signal() {
      if (signals.getAndIncrement() == 0) {
        link.runOnLoopOrHere(this::serve);
      }
    }

    private void serve() {
      int seen = 1;
      do {
        link.guarded(this::serveOrGiveUp);
        seen = signals.addAndGet(-seen);
      } while (seen != 0);
    }

    private void serveOrGiveUp() {
      try {
        serveOnce();
      } catch (Throwable e) {
        // A subscriber that throws has cancelled its subscription.
        giveUp();
        throw e;
      }
    }

    private void serveOnce() {
      Flow.Subscriber<? super byte[]> present = subscriber;
      if (present == null) {
        return;
      }
      if (!introduced) {
        introduced = true;
        present.onSubscribe(this);
        inbox.arrivals.onArrival(this::signal);
      }
      giveFrames(present);
    }

    /**
     * Only the connection's errors go to the subscriber, not the exceptions that it throws itself.
     */
    private void giveFrames(Flow.Subscriber<? super byte[]> present) {
      while (!isOver(present) && demand.get() > 0) {
        byte[] frame = poll(present);
        if (frame == null) {
          break;
        }
        demand.getAndUpdate(was -> was == Long.MAX_VALUE ? was : was - 1);
        present.onNext(frame);
      }
      if (!isOver(present) && endsHere(present)) {
        subscriber = null;
        present.onComplete();
      }
    }

    private byte @Nullable [] poll(Flow.Subscriber<? super byte[]> present) {
      try {
        return inbox.poll();
      } catch (IOException e) {
        fail(present, e);
        return null;
      }
    }

    private boolean endsHere(Flow.Subscriber<? super byte[]> present) {
      try {
        return inbox.endsHere();
      } catch (IOException e) {
        fail(present, e);
        return false;
      }
    }

    /** Whether the subscriber gets no more frames: it cancelled, or requested an invalid amount. */
    private boolean isOver(Flow.Subscriber<? super byte[]> present) {
      Long bad = badRequest;
      if (cancelled && subscriber != null) {
        giveUp();
        link.ending.finish();
      } else if (bad != null && subscriber != null) {
        fail(present, new IllegalArgumentException("request: " + bad + " (expected: > 0)"));
      }
      return subscriber == null;
    }

    /** Drops waiting and later frames. */
    private void giveUp() {
      if (subscriber != null) {
        subscriber = null;
        inbox.abandon();
      }
    }

    private void fail(Flow.Subscriber<? super byte[]> failed, Exception error) {
      giveUp();
      // Nobody receives later frames, whatever the policy for oversized frames.
      link.ending.finish();
      failed.onError(error);
    }
  }
}
