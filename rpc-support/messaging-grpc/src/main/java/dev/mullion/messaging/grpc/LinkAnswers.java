package dev.mullion.messaging.grpc;

import dev.mullion.messaging.DeadLetter;
import dev.mullion.messaging.grpc.v1.ClientFrame;
import dev.mullion.messaging.grpc.v1.Done;
import dev.mullion.messaging.grpc.v1.Select;
import dev.mullion.messaging.grpc.v1.Selected;
import dev.mullion.messaging.grpc.v1.ServerFrame;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Answers of the server that have more than one frame. */
final class LinkAnswers {

  /** A choice of dead letters, and what its predicate threw. */
  private static final class Choice {
    final Predicate<DeadLetter> which;
    volatile @Nullable Throwable thrown;

    Choice(Predicate<DeadLetter> which) {
      this.which = which;
    }
  }

  private final Executor executor;
  private final Map<Long, Consumer<ServerFrame>> lists = new ConcurrentHashMap<>();
  private final Map<Long, Choice> choices = new ConcurrentHashMap<>();

  LinkAnswers(Executor executor) {
    this.executor = executor;
  }

  /** Collects the frames that come before an answer. */
  <T> CompletableFuture<List<T>> list(
      long id, Function<ServerFrame, T> item, Function<Long, CompletableFuture<Done>> asking) {
    List<T> items = new ArrayList<>();
    lists.put(id, frame -> items.add(item.apply(frame)));
    return asking
        .apply(id)
        .handle((done, error) -> {
          lists.remove(id);
          return error;
        })
        .thenCompose(error -> error == null
            ? CompletableFuture.completedFuture(items)
            : CompletableFuture.failedFuture(WireErrors.cause(error)));
  }

  void item(long id, ServerFrame frame) {
    Consumer<ServerFrame> list = lists.get(id);
    if (list != null) {
      list.accept(frame);
    }
  }

  /** Answers the server's questions with a predicate until the answer is there. */
  CompletableFuture<Done> select(
      long id, Predicate<DeadLetter> which, Function<Long, CompletableFuture<Done>> asking) {
    Choice choice = new Choice(which);
    choices.put(id, choice);
    CompletableFuture<Done> answer = new CompletableFuture<>();
    asking.apply(id).whenComplete((done, error) -> {
      choices.remove(id);
      Throwable thrown = choice.thrown;
      if (error == null) {
        answer.complete(done);
      } else {
        answer.completeExceptionally(thrown == null ? WireErrors.cause(error) : thrown);
      }
    });
    return answer;
  }

  /** Calls a user's predicate, on a thread that may block. */
  void selecting(LinkSession session, Select frame) {
    Choice choice = choices.get(frame.getId());
    if (choice == null) {
      return;
    }
    try {
      executor.execute(() -> select(session, frame, choice));
    } catch (RejectedExecutionException closed) {
      answer(session, Selected.newBuilder().setId(frame.getId()).setFailed(true));
    }
  }

  private static void select(LinkSession session, Select frame, Choice choice) {
    Selected.Builder selected = Selected.newBuilder().setId(frame.getId());
    try {
      selected.setMatches(choice.which.test(WireQueues.from(frame.getLetter())));
    } catch (Throwable thrown) {
      choice.thrown = thrown;
      selected.setFailed(true);
    }
    answer(session, selected);
  }

  private static void answer(LinkSession session, Selected.Builder selected) {
    session.outbox.add(ClientFrame.newBuilder().setSelected(selected).build());
  }
}
