package dev.mullion.messaging;

import static java.util.Objects.requireNonNull;

import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.function.Predicate;

/** The engine's dead letters, with arguments checked and stages that complete where users' may. */
final class AnsweredDeadLetters implements DeadLetters {
  private final DeadLetters letters;
  private final Answers answers;
  private final Intake intake;

  AnsweredDeadLetters(DeadLetters letters, Answers answers, Intake intake) {
    this.letters = letters;
    this.answers = answers;
    this.intake = intake;
  }

  @Override
  public CompletionStage<Long> count() {
    return ask(letters::count);
  }

  @Override
  public CompletionStage<List<DeadLetter>> peek(int max) {
    Arguments.atLeast(max, 1, "max");
    return ask(() -> letters.peek(max));
  }

  @Override
  public CompletionStage<Long> redrive(int max, Predicate<DeadLetter> which) {
    Arguments.atLeast(max, 1, "max");
    requireNonNull(which, "which");
    return ask(() -> letters.redrive(max, which));
  }

  @Override
  public CompletionStage<Long> purge(Predicate<DeadLetter> which) {
    requireNonNull(which, "which");
    return ask(() -> letters.purge(which));
  }

  private <T> CompletionStage<T> ask(Callable<CompletionStage<T>> question) {
    return answers.ask(question, error -> {}, intake.continuations(intake.check()));
  }
}
