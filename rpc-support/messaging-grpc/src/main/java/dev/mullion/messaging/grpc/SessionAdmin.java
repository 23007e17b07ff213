package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.DeadLetters;
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
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import java.util.stream.Stream;

/** Declarations, dead letters and the state of queues, for one client. */
final class SessionAdmin {
  private static final int MOST_LETTERS = 10_000;
  private static final long ANSWER_SECONDS = 30;

  /** What may throw a named error. */
  @FunctionalInterface
  private interface Step {
    void run() throws MessagingException;
  }

  private final ServerSession session;
  private final EngineLink link;
  private final SessionSends sends;
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
      session.done(id, ServerSession.error(thrown));
    }
  }

  void declare(Declare frame) {
    orError(frame.getId(), () -> {
      Route.Queue queue = WireQueues.from(frame.getQueue());
      if (frame.getReplace()) {
        session.check(queue.id(), Verb.MANAGE);
      } else {
        session.check(queue.id(), Verb.PUSH, Verb.PULL);
      }
      link.prepare(queue, frame.getReplace() ? Declaration.REPLACE : Declaration.CHECK);
      sends.declared(queue);
      session.done(frame.getId(), null);
    });
  }

  void delete(DeleteQueue frame) {
    orError(frame.getId(), () -> {
      Route.Queue queue = managed(frame.getQueue());
      sends.deleted(queue);
      link.delete(queue)
          .whenComplete((done, error) ->
              session.done(frame.getId(), error == null ? null : WireErrors.of(error)));
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

  private void counted(long id, CompletionStage<Long> counting) {
    counting.whenComplete((count, error) -> {
      questions.remove(id);
      if (error == null) {
        session.done(Done.newBuilder().setId(id).setCount(count).build());
      } else {
        session.done(id, WireErrors.of(error));
      }
    });
  }

  void peek(PeekDeadLetters frame) {
    long id = frame.getId();
    orError(id, () -> {
      if (frame.getMax() < 1 || frame.getMax() > MOST_LETTERS) {
        throw new IllegalArgumentException(
            "max: " + frame.getMax() + " (expected: 1 to " + MOST_LETTERS + ")");
      }
      letters(frame.getQueue()).peek(frame.getMax()).whenComplete((letters, error) -> {
        if (error == null) {
          list(id, letters.stream().map(each -> letter(id, each)));
        } else {
          session.done(id, WireErrors.of(error));
        }
      });
    });
  }

  private static ServerFrame letter(long id, DeadLetter letter) {
    return ServerFrame.newBuilder()
        .setLetter(Letter.newBuilder().setId(id).setLetter(WireQueues.of(letter)))
        .build();
  }

  /** Sends a list, each frame when the stream has room for it, and then the answer. */
  private void list(long id, Stream<ServerFrame> frames) {
    Iterator<ServerFrame> all = Stream.concat(
            frames,
            Stream.of(
                ServerFrame.newBuilder().setDone(Done.newBuilder().setId(id)).build()))
        .iterator();
    session.list(all);
  }

  void queues(ListQueues frame) {
    long id = frame.getId();
    orError(id, () -> {
      session.check("", Verb.MANAGE);
      link.queues().whenComplete((queues, error) -> {
        if (error == null) {
          list(
              id,
              List.copyOf(queues).stream()
                  .map(each -> ServerFrame.newBuilder()
                      .setQueueStatus(WireQueues.of(id, each))
                      .build()));
        } else {
          session.done(id, WireErrors.of(error));
        }
      });
    });
  }

  void select(SelectDeadLetters frame) {
    long id = frame.getId();
    orError(id, () -> {
      DeadLetters letters = letters(frame.getQueue());
      Predicate<DeadLetter> which = frame.getAsk() ? letter -> ask(id, letter) : letter -> true;
      switch (frame.getAction()) {
        case ACTION_PURGE -> counted(id, letters.purge(which));
        case ACTION_REDRIVE -> counted(id, letters.redrive(frame.getMax(), which));
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
    session.outbox.add(ServerFrame.newBuilder()
        .setSelect(Select.newBuilder().setId(id).setLetter(WireQueues.of(letter)))
        .build());
    try {
      return answer.get(ANSWER_SECONDS, TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw new IllegalStateException(String.valueOf(WireErrors.cause(e).getMessage()), e);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          "the client did not answer Select within " + ANSWER_SECONDS + " s", e);
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
