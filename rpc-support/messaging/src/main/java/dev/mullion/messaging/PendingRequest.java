package dev.mullion.messaging;

import dev.mullion.messaging.MessagingClock.Timer;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.Reply;
import dev.mullion.messaging.engine.Route;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One request and the future that its user holds. */
final class PendingRequest<R> extends CompletableFuture<Message<R>> {
  private final Requests requests;
  private final long id;
  private final Subject<?, R> subject;
  private final int bytes;
  private final EngineLink link;
  private final Executor continuations;
  private final AtomicBoolean accepted = new AtomicBoolean();
  private volatile @Nullable Timer timer;
  private @Nullable Thread asking = Thread.currentThread(); // see Answers

  PendingRequest(
      Requests requests,
      long id,
      Subject<?, R> subject,
      int bytes,
      EngineLink link,
      Executor continuations) {
    this.requests = requests;
    this.id = id;
    this.subject = subject;
    this.bytes = bytes;
    this.link = link;
    this.continuations = continuations;
    whenComplete((reply, error) -> completed());
  }

  /** Starts the time, by the clock. */
  void timeout(MessagingClock clock, Duration timeout, Duration left) {
    try {
      Timer started = clock.schedule(left, () -> timedOut(timeout));
      timer = started;
      if (!requests.isOpen(id)) {
        started.cancel();
      }
    } catch (Throwable e) {
      fail(e);
    }
  }

  /**
   * Asks the engine, unless the request has ended.
   *
   * @param refused told the engine's error, also if the request has ended by then
   */
  void follow(Callable<CompletionStage<@Nullable Void>> question, Consumer<Throwable> refused) {
    try {
      if (!requests.isOpen(id)) {
        return;
      }
      CompletionStage<@Nullable Void> stage = question.call();
      if (stage == null) {
        throw new IllegalStateException("the engine returned no stage");
      }
      stage.whenComplete((none, error) -> {
        if (error != null) {
          Throwable cause = Answers.cause(error);
          try {
            refused.accept(cause);
          } finally {
            fail(cause);
          }
        } else if (requests.isOpen(id)) {
          accepted();
        }
      });
    } catch (Throwable e) {
      try {
        refused.accept(e);
      } finally {
        fail(e);
      }
    } finally {
      asking = null;
    }
  }

  /** The engine has refused it: at once, or later on one of its threads. */
  private void fail(Throwable error) {
    if (requests.take(id, this)) {
      if (asking == Thread.currentThread()) {
        end();
        failNow(error);
      } else {
        failLater(error);
      }
    }
  }

  private void timedOut(Duration timeout) {
    if (requests.take(id, this)) {
      requests.counts().timedOut.increment();
      continuations.execute(() -> {
        end();
        failNow(new TimeoutException(
            "no reply within timeout " + timeout + " (subject " + subject.name() + ")"));
        withdraw();
      });
    }
  }

  /** Called by the thread that has taken the reply's request out of the table. */
  void replied(Reply reply) {
    accepted(); // the reply can be quicker than the stage
    continuations.execute(() -> {
      end();
      boolean wanted;
      try {
        wanted = complete(message(reply));
      } catch (Throwable e) {
        wanted = failNow(e);
      }
      if (!wanted) { // cancelled just now
        requests.counts().lateReplies.increment();
      }
    });
  }

  /** Called by the stop, which has taken it out of the table. */
  void stop(Throwable error) {
    end();
    withdraw(); // while the link is open
    continuations.execute(() -> failNow(error));
  }

  private void accepted() {
    if (accepted.compareAndSet(false, true)) {
      requests.counts().accepted.increment();
    }
  }

  private Message<R> message(Reply reply) throws MessagingException {
    String where = " (subject " + subject.name() + ")";
    switch (reply.status()) {
      case OK -> {
        return decode(reply, where);
      }
      case FAILED -> throw new RequestFailedException(reply.error());
      case UNDECODABLE ->
        throw new UndecodableMessageException(
            "the replier could not decode the request: " + reply.error() + where);
      default ->
        throw new RequestFailedException(
            "the replier was lost before it answered: " + reply.error() + where);
    }
  }

  private Message<R> decode(Reply reply, String where) throws UndecodableMessageException {
    Message<byte[]> message = reply
        .message()
        .orElseThrow(() -> new UndecodableMessageException("the reply has no message" + where));
    R payload;
    try {
      payload =
          subject.replyCodec().decode(message.payload(), message.contentType().orElse(""));
    } catch (UndecodableMessageException e) {
      throw e;
    } catch (Throwable e) {
      throw new UndecodableMessageException(
          "a reply of " + message.payload().length + " bytes could not be decoded: " + e + where,
          e);
    }
    if (payload == null) {
      throw new UndecodableMessageException("the codec decoded a reply as null" + where);
    }
    return message.withPayload(payload);
  }

  /** Called whenever the future completes: by its user, perhaps, who does not want the reply. */
  private void completed() {
    if (requests.take(id, this)) {
      end();
      withdraw();
    }
  }

  private void failLater(Throwable error) {
    continuations.execute(() -> {
      end();
      failNow(error);
    });
  }

  private boolean failNow(Throwable error) {
    if (!isDone()) {
      requests.counts().failed.increment(); // before anyone sees the failure
    }
    return completeExceptionally(error);
  }

  /** Gives back what the request holds; called once, by the thread that took it. */
  private void end() {
    Timer started = timer;
    if (started != null) {
      started.cancel();
    }
    requests.limits().release(bytes);
  }

  private void withdraw() {
    try {
      link.cancelRequest(new Route.Subject(subject.name()), id);
    } catch (Throwable e) {
      LimitedLog.warn("cancelRequest", "the engine failed in cancelRequest", e);
    }
  }

  /** Stages that a user derives are plain ones. */
  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new CompletableFuture<>();
  }
}
