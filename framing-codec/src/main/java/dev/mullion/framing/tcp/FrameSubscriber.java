package dev.mullion.framing.tcp;

import static java.util.Objects.requireNonNull;

import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;

/** Sends the frames that a publisher gives, and asks for more as they are written. */
final class FrameSubscriber implements Flow.Subscriber<byte[]> {
  /** How many frames may be on their way from the publisher to the socket. */
  private static final int WINDOW = 64;

  private final FramedConnection connection;
  private Flow.@Nullable Subscription subscription;

  FrameSubscriber(FramedConnection connection) {
    this.connection = connection;
  }

  @Override
  public void onSubscribe(Flow.Subscription subscription) {
    requireNonNull(subscription, "subscription");
    if (this.subscription != null) {
      subscription.cancel();
      return;
    }
    this.subscription = subscription;
    connection.closed().whenComplete((done, error) -> subscription.cancel());
    subscription.request(WINDOW);
  }

  @Override
  public void onNext(byte[] frame) {
    requireNonNull(frame, "frame");
    Flow.Subscription source = requireNonNull(subscription, "subscription");
    connection.sendAsync(frame).whenComplete((sent, error) -> {
      if (error == null) {
        source.request(1);
      } else {
        source.cancel();
        connection.link().abort(error);
      }
    });
  }

  @Override
  public void onError(Throwable error) {
    connection.link().abort(requireNonNull(error, "error"));
  }

  @Override
  public void onComplete() {
    connection.endOutput();
  }
}
