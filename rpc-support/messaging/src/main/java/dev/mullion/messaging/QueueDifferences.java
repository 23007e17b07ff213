package dev.mullion.messaging;

import dev.mullion.messaging.engine.Route;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Compares two declarations of one queue or group. */
final class QueueDifferences {
  private final List<String> texts = new ArrayList<>();

  private QueueDifferences() {}

  /** Returns the error for a queue that is declared in another way; the text has both values. */
  static ConflictingDeclarationException between(Route.Queue asked, Route.Queue declared) {
    QueueDifferences differences = new QueueDifferences();
    differences.add("source", source(asked.source()), source(declared.source()));
    differences.add("redelivery", asked.redelivery(), declared.redelivery());
    differences.add("handlerTimeout", asked.handlerTimeout(), declared.handlerTimeout());
    differences.add("ordered", asked.ordered(), declared.ordered());
    differences.add("capacity", asked.capacity(), declared.capacity());
    differences.add("capacityBytes", asked.capacityBytes(), declared.capacityBytes());
    differences.add("overflow", asked.overflow(), declared.overflow());
    differences.add("maxDeadLetters", asked.maxDeadLetters(), declared.maxDeadLetters());
    differences.add("deadLetterAge", asked.deadLetterAge(), declared.deadLetterAge());
    String kind = asked.source().isPresent() ? "group " : "queue ";
    return new ConflictingDeclarationException(kind + asked.id()
        + " is declared with other settings: " + String.join(", ", differences.texts)
        + " (redeclare changes them on purpose)");
  }

  private static String source(Optional<String> source) {
    return source.orElse("none");
  }

  private void add(String setting, Object asked, Object declared) {
    if (!asked.equals(declared)) {
      texts.add(setting + ": " + asked + " (declared: " + declared + ")");
    }
  }
}
