package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import dev.mullion.messaging.DeadLetterBox.Letter;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The dead letters of a queue or group, for one link. */
final class QueueDeadLetters implements DeadLetters {
  private final EmbeddedLink link;
  private final String queue;
  private final Executor executor;

  QueueDeadLetters(EmbeddedLink link, String queue, Executor executor) {
    this.link = link;
    this.queue = queue;
    this.executor = executor;
  }

  @Override
  public CompletionStage<Long> count() {
    JobQueue found = link.find(queue);
    return CompletableFuture.completedStage(found == null ? 0L : found.status().deadLetters());
  }

  @Override
  public CompletionStage<List<DeadLetter>> peek(int max) {
    Arguments.atLeast(max, 0, "max");
    return CompletableFuture.supplyAsync(
        () -> List.copyOf(each(max, any -> true, Letter::letter)), executor);
  }

  @Override
  public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
    Arguments.atLeast(max, 0, "max");
    requireNonNull(which, "which");
    return async(max, which, letter -> {
      JobQueue to = link.find(queue);
      DeadLetter content = letter.letter();
      return to == null || content == null
          ? CompletableFuture.completedStage(false)
          : to.redrive(letter, requireNonNull(letter.address()), content.original());
    });
  }

  @Override
  public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
    requireNonNull(which, "which");
    return async(Integer.MAX_VALUE, which, letter -> {
      JobQueue of = link.find(queue);
      return of == null ? CompletableFuture.completedStage(false) : of.letters().delete(letter);
    });
  }

  /**
   * Applies a change to those that match, until there is no room for it or the number is reached.
   */
  private CompletionStage<Long> async(
      int max, Predicate<DeadLetter> which, Action<CompletionStage<Boolean>> change) {
    return CompletableFuture.supplyAsync(() -> each(max, which, change), executor)
        .thenCompose(QueueDeadLetters::count);
  }

  private <R> List<R> each(int max, Predicate<DeadLetter> which, Action<R> action) {
    List<R> results = new ArrayList<>();
    for (Letter letter : letters()) {
      if (results.size() == max) {
        break;
      }
      Letter read = read(letter);
      if (read != null && read.letter() != null && which.test(read.letter())) {
        R result = action.apply(read);
        if (result == null) {
          break;
        }
        results.add(result);
      }
    }
    return results;
  }

  private static CompletionStage<Long> count(List<CompletionStage<Boolean>> changes) {
    CompletionStage<Long> count = CompletableFuture.completedStage(0L);
    for (CompletionStage<Boolean> change : changes) {
      count = count.thenCombine(change, (sum, changed) -> changed ? sum + 1 : sum);
    }
    return count;
  }

  private List<Letter> letters() {
    JobQueue found = link.find(queue);
    return found == null ? List.of() : found.letters().all();
  }

  private @Nullable Letter read(Letter letter) {
    JobQueue found = link.find(queue);
    try {
      return found == null ? null : found.letters().read(letter);
    } catch (MessagingException e) {
      throw new CompletionException(e);
    }
  }

  /** What is done with a letter. */
  private interface Action<R> {
    /** Returns the result, or that of a change that has begun; null ends the search. */
    @Nullable
    R apply(Letter letter);
  }
}
