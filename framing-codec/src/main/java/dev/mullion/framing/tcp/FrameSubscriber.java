package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * Sends a publisher's frames, and requests more as they are written. All calls to the subscription
 * are made on the event loop, so never concurrently.
 */
final class FrameSubscriber implements Flow.Subscriber<byte[]> {
  /**
   * The maximum number of frames in transit from the publisher to the socket, if they are short.
   */
  private static final int MAX_WINDOW = 64;

  private final Link link;
  private final Sending sending;
  private Flow.@Nullable Subscription subscription;
  private volatile boolean done;
  private volatile CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

  /** The longest frame so far; requested frames are assumed to be as long. */
  private volatile int longest = 1;

  /** The number of requested frames not yet written; used on the event loop. */
  private int requested;

  FrameSubscriber(Link link, Sending sending) {
    this.link = link;
    this.sending = sending;
  }

  @Override
  public void onSubscribe(Flow.Subscription subscription) {
    requireNonNull(subscription, "subscription");
    if (this.subscription != null) {
      subscription.cancel();
      return;
    }
    this.subscription = subscription;
    // Only one at first, to learn how long the frames are.
    onLoop(() -> request(subscription, 1));
    link.closed().whenComplete((closed, error) -> cancel(subscription));
  }

  @Override
  public void onNext(byte[] frame) {
    requireNonNull(frame, "frame");
    Flow.Subscription source = requireNonNull(subscription, "subscription");
    longest = Math.max(longest, frame.length);
    CompletableFuture<Void> sent = sending.sendRequested(frame);
    last = sent;
    sent.whenComplete((written, error) -> {
      if (error == null) {
        onLoop(() -> written(source));
        return;
      }
      cancel(source);
      if (!(error instanceof FrameNotSentException)) {
        // A frame rejected because the connection is closing must not cut the frames before it.
        link.ending.abort(error);
      }
    });
  }

  /** The subscription is the publisher's code. */
  private void onLoop(Runnable call) {
    link.runOnLoopOrHere(() -> link.guarded(call));
  }

  private void written(Flow.Subscription source) {
    requested--;
    int window = Math.min(MAX_WINDOW, link.settings.outboundHigh() / longest);
    int missing = Math.max(1, window) - requested;
    if (missing > 0) {
      request(source, missing);
    }
  }

  private void request(Flow.Subscription source, int frames) {
    requested += frames;
    if (!done) {
      source.request(frames);
    }
  }

  private void cancel(Flow.Subscription source) {
    onLoop(() -> {
      if (!done) {
        done = true;
        source.cancel();
      }
    });
  }

  @Override
  public void onError(Throwable error) {
    requireNonNull(error, "error");
    done = true;
    last.whenComplete((sent, failed) -> link.ending.finish(error));
  }

  @Override
  public void onComplete() {
    done = true;
    link.ending.outputEnds();
    // A frame that waits for room would be rejected.
    last.whenComplete((sent, error) -> link.ending.finishOutput());
  }
}
