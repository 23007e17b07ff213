package dev.mullion.messaging.kafka;

import java.lang.reflect.Method;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLocksProvider;

/** Keeps other cases from the node that a case restarts, or whose connections it cuts. */
final class DisturbedNode implements ResourceLocksProvider {
  private static final Set<String> ALONE = Set.of(
      "countSurvivesRestart",
      "countSurvivesKill",
      "restart",
      "cut",
      "away",
      "engineBlocked",
      "brokerIsRestarted");

  @Override
  public Set<Lock> provideForMethod(
      List<Class<?>> enclosing, Class<?> testClass, Method testMethod) {
    boolean alone = ALONE.contains(testMethod.getName());
    return Set.of(new Lock(
        DisturbedNode.class.getName(),
        alone ? ResourceAccessMode.READ_WRITE : ResourceAccessMode.READ));
  }
}
