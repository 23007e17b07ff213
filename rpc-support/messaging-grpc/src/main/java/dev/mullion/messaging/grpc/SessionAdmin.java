package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
import dev.mullion.messaging.MessageTooLargeException;
import dev.mullion.messaging.MessagingException;
import dev.mullion.messaging.engine.EngineLink;
import dev.mullion.messaging.engine.EngineLink.Declaration;
import dev.mullion.messaging.engine.Route;
import dev.mullion.messaging.grpc.Permissions.Verb;
import dev.mullion.messaging.grpc.v1.CountDeadLetters;
import dev.mullion.messaging.grpc.v1.Declare;
import dev.mullion.messaging.grpc.v1.DeleteQueue;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Letter;
import dev.mullion.messaging.grpc.v1.ListQueues;
import dev.mullion.messaging.grpc.v1.PeekDeadLetters;
import dev.mullion.messaging.grpc.v1.Queue;
import dev.mullion.messaging.grpc.v1.Select;
import dev.mullion.messaging.grpc.v1.SelectDeadLetters;
import dev.mullion.messaging.grpc.v1.Selected;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Declarations, dead letters and the state of queues, for one client. */
final class SessionAdmin {
  private static final Duration ANSWER_TIME = Duration.ofSeconds(30);

  /** What may throw a named error. */
  @FunctionalInterface
  private interface Step {
    void run() throws MessagingException;
  }

  private final ServerSession session;
  private final EngineLink link;
  private final SessionSends sends;
  private CompletionStage<?> turn = CompletableFuture.completedStage(null); // the last one's
  private final Map<Long, CompletableFuture<Boolean>> questions = new ConcurrentHashMap<>();

  SessionAdmin(ServerSession session, EngineLink link, SessionSends sends) {
    this.session = session;
    this.link = link;
    this.sends = sends;
  }

  /** Runs a step, and answers with its error if it throws. */
  private void orError(long id, Step step) {
    try {
      step.run();
    } catch (MessagingException | RuntimeException thrown) {
      session.answers.done(id, ServerSession.error(thrown));
    }
  }

  void declare(Declare frame) {
    orError(frame.getId(), () -> {
      Route.Queue queue = WireQueues.from(frame.getQueue());
      if (frame.getReplace()) {
        session.check(queue, Verb.MANAGE);
      } else if (queue.source().isPresent()) {
        session.check(queue, Verb.PULL);
      } else {
        session.check(queue, Verb.PUSH, Verb.PULL);
      }
      session.serving.queues.declare(
          queue, frame.getReplace() ? Declaration.REPLACE : Declaration.CHECK, link);
      sends.declared(queue);
      session.answers.done(frame.getId(), null);
    });
  }

  void delete(DeleteQueue frame) {
    orError(frame.getId(), () -> {
      Route.Queue queue = managed(frame.getQueue());
      sends.deleted(queue);
      session
          .serving
          .queues
          .delete(queue, link)
          .whenComplete((done, error) ->
              session.answers.done(frame.getId(), error == null ? null : WireErrors.of(error)));
    });
  }

  private Route.Queue managed(Queue wire) throws MessagingException {
    Route.Queue queue = WireQueues.from(wire);
    session.check(queue.id(), Verb.MANAGE);
    return queue;
  }

  private DeadLetters letters(Queue wire) throws MessagingException {
    return link.deadLetters(managed(wire));
  }

  void count(CountDeadLetters frame) {
    orError(
        frame.getId(), () -> counted(frame.getId(), letters(frame.getQueue()).count()));
  }

  private CompletionStage<Long> counted(long id, CompletionStage<Long> counting) {
    return counting.whenComplete((count, error) -> {
      questions.remove(id);
      if (error == null) {
        session.answers.done(Done.newBuilder().setId(id).setCount(count).build());
      } else {
        session.answers.done(id, WireErrors.of(error));
      }
    });
  }

  /**
   * Reads letters one after the other, as fast as the client takes them: a walk through all of them
   * that deletes none and ends early.
   */
  void peek(PeekDeadLetters frame) {
    long id = frame.getId();
    orError(id, () -> {
      int max = frame.getMax();
      if (max < 1) {
        throw new IllegalArgumentException("max: " + max + " (expected: >= 1)");
      }
      DeadLetters letters = letters(frame.getQueue());
      inTurn(() -> {
        FrameStream list = new FrameStream(ANSWER_TIME);
        session.answers.list(list);
        if (session.isOver()) {
          list.close();
        }
        Walk walk = new Walk(letter -> put(list, letter(id, letter)), max);
        return orFailed(() -> letters.purge(walk)).whenComplete((count, error) -> {
          list.end(done(id, error == null ? null : WireErrors.cause(error)));
          session.answers.outbox.wake();
        });
      });
    });
  }

  /** Returns the stage; one that fails if the engine throws instead. */
  private static CompletionStage<Long> orFailed(Supplier<CompletionStage<Long>> question) {
    try {
      return question.get();
    } catch (Throwable thrown) {
      return CompletableFuture.failedFuture(thrown);
    }
  }

  private void put(FrameStream list, ServerFrame frame) {
    list.put(frame);
    session.answers.outbox.wake();
  }

  private static ServerFrame done(long id, @Nullable Throwable error) {
    Done.Builder done = Done.newBuilder().setId(id);
    if (error != null && !(error instanceof Enough)) {
      done.setError(WireErrors.of(error));
    }
    return ServerFrame.newBuilder().setDone(done).build();
  }

  /** Begins when the work before has ended: of each client one at a time takes a thread. */
  private void inTurn(Supplier<CompletionStage<?>> work) {
    turn = turn.handle((done, error) -> null).thenCompose(before -> work.get());
  }

  /** Shows the first letters, and matches none. */
  private static final class Walk implements Predicate<DeadLetter> {
    private final Consumer<DeadLetter> visitor;
    private final int max;
    private int seen;

    Walk(Consumer<DeadLetter> visitor, int max) {
      this.visitor = visitor;
      this.max = max;
    }

    @Override
    public boolean test(DeadLetter letter) {
      visitor.accept(letter);
      if (++seen == max) {
        throw new Enough();
      }
      return false;
    }
  }

  /** Ends a walk. */
  private static final class Enough extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Enough() {
      super("enough", null, false, false);
    }
  }

  private ServerFrame letter(long id, DeadLetter letter) {
    return ServerFrame.newBuilder()
        .setLetter(Letter.newBuilder().setId(id).setLetter(checked(letter)))
        .build();
  }

  /** Returns a letter on the wire, unless the client could not read it. */
  private dev.mullion.messaging.grpc.v1.DeadLetter checked(DeadLetter letter) {
    dev.mullion.messaging.grpc.v1.DeadLetter wire = WireQueues.of(letter);
    String tooLarge =
        WireMessages.tooLarge(wire.getOriginal(), session.serving.limits.maxMessageSize());
    if (tooLarge != null) {
      throw new CompletionException(new MessageTooLargeException(
          "dead letter " + WireErrors.bounded(letter.original().id()) + " of " + tooLarge));
    }
    return wire;
  }

  void queues(ListQueues frame) {
    long id = frame.getId();
    orError(id, () -> {
      session.check("", Verb.MANAGE);
      link.queues().whenComplete((queues, error) -> {
        if (error != null) {
          session.answers.done(id, WireErrors.of(error));
          return;
        }
        queues.forEach(each -> session.answers.add(
            ServerFrame.newBuilder().setQueueStatus(WireQueues.of(id, each)).build()));
        session.answers.done(id, null);
      });
    });
  }

  void select(SelectDeadLetters frame) {
    long id = frame.getId();
    orError(id, () -> {
      DeadLetters letters = letters(frame.getQueue());
      Predicate<DeadLetter> which = frame.getAsk() ? letter -> ask(id, letter) : letter -> true;
      switch (frame.getAction()) {
        case ACTION_PURGE -> inTurn(() -> counted(id, orFailed(() -> letters.purge(which))));
        case ACTION_REDRIVE ->
          inTurn(() -> counted(id, orFailed(() -> letters.redrive(frame.getMax(), which))));
        default ->
          throw new BrokenRules(
              "action: " + frame.getAction() + " (expected: ACTION_REDRIVE or ACTION_PURGE)");
      }
    });
  }

  /** Asks the client; called on a thread that may block. */
  private boolean ask(long id, DeadLetter letter) {
    CompletableFuture<Boolean> answer = new CompletableFuture<>();
    questions.put(id, answer);
    if (session.isOver()) {
      throw new IllegalStateException("the client is gone");
    }
    session.answers.outbox.add(ServerFrame.newBuilder()
        .setSelect(Select.newBuilder().setId(id).setLetter(checked(letter)))
        .build());
    try {
      return answer.get(ANSWER_TIME.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new IllegalStateException(String.valueOf(WireErrors.cause(e).getMessage()), e);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "the client did not answer Select within " + ANSWER_TIME.toSeconds() + " s", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    } finally {
      questions.remove(id, answer);
    }
  }

  void selected(Selected frame) {
    CompletableFuture<Boolean> question = questions.remove(frame.getId());
    if (question == null) {
      return;
    }
    if (frame.getFailed()) {
      question.completeExceptionally(
          new IllegalStateException("the client could not tell whether a letter matches"));
    } else {
      question.complete(frame.getMatches());
    }
  }

  /** Ends questions to a client that is gone. */
  void release() {
    questions
        .values()
        .forEach(
            each -> each.completeExceptionally(new IllegalStateException("the client is gone")));
  }
}
