package dev.mullion.messaging.tck;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectNestedClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectNestedMethod;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.DisplayName;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Chapters of the suite, run inside a test. */
final class SuiteRun implements TestExecutionListener {
  final Set<String> run = new ConcurrentSkipListSet<>();
  final Set<String> failed = new ConcurrentSkipListSet<>();
  final Map<String, String> failures = new ConcurrentHashMap<>();
  final Map<String, String> skipped = new ConcurrentHashMap<>();

  private SuiteRun() {}

  /** Runs these chapters of a suite, nested classes of {@link MessagingTck}. */
  static SuiteRun of(Class<? extends MessagingTck> suite, Class<?>... chapters) {
    return of(Arrays.stream(chapters)
        .<DiscoverySelector>map(chapter -> selectNestedClass(List.of(suite), chapter))
        .toList());
  }

  /** Runs one case of a chapter. */
  static SuiteRun ofCase(Class<? extends MessagingTck> suite, Class<?> chapter, String number) {
    return of(Arrays.stream(chapter.getSuperclass().getDeclaredMethods())
        .filter(method -> method.isAnnotationPresent(DisplayName.class))
        .filter(method -> method.getAnnotation(DisplayName.class).value().startsWith(number + "."))
        .<DiscoverySelector>map(method -> selectNestedMethod(List.of(suite), chapter, method))
        .toList());
  }

  private static SuiteRun of(List<DiscoverySelector> selectors) {
    SuiteRun run = new SuiteRun();
    LauncherDiscoveryRequest request =
        LauncherDiscoveryRequestBuilder.request().selectors(selectors).build();
    // JUnit's own threads, which may run this test, would take the cases for theirs.
    FutureTask<Void> running =
        new FutureTask<>(() -> LauncherFactory.create().execute(request, run), null);
    Thread thread = new Thread(running, "suite-run");
    thread.start();
    try {
      running.get();
    } catch (ExecutionException e) {
      throw new IllegalStateException("the suite did not run", e.getCause());
    } catch (InterruptedException e) {
      thread.interrupt();
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", e);
    }
    return run;
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    if (!test.isTest()) {
      return;
    }
    run.add(number(test));
    switch (result.getStatus()) {
      case FAILED -> {
        failed.add(number(test));
        failures.put(test.getDisplayName(), String.valueOf(result.getThrowable().orElse(null)));
      }
      case ABORTED ->
        skipped.put(
            test.getDisplayName(),
            result.getThrowable().map(Throwable::getMessage).orElse("without a reason"));
      case SUCCESSFUL -> {}
    }
  }

  private static String number(TestIdentifier test) {
    return test.getDisplayName().replaceAll("\\..*", "");
  }
}
