package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/**
 * Sends the frames that a publisher gives, and asks for more as they are written. All calls to the
 * subscription are on the event loop, and so never at the same time.
 */
final class FrameSubscriber implements Flow.Subscriber<byte[]> {
  /** How many frames may be on their way from the publisher to the socket, while they are short. */
  private static final int MAX_WINDOW = 64;

  private final Link link;
  private final Sending sending;
  private Flow.@Nullable Subscription subscription;
  private volatile boolean done;
  private volatile CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

  /** The longest frame so far; those that are asked for are taken to be as long. */
  private volatile int longest = 1;

  /** How many frames were asked for and are not written; of the event loop. */
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
    // The first one alone, since it tells how long they are.
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
        // One that was not sent, since the connection is closing, must not cut those before it.
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
    // A frame that waits for room would be refused.
    last.whenComplete((sent, error) -> link.ending.finishOutput());
  }
}
