package dev.mullion.messaging.tck;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.TestWatcher;

/** Prints each skipped case with the reason. */
final class PrintedSkips implements TestWatcher {

  /** Creates the extension. */
  PrintedSkips() {}

  @Override
  public void testAborted(ExtensionContext context, @Nullable Throwable cause) {
    System.out.println("skipped: " + context.getRequiredTestClass().getSimpleName() + ", case "
        + context.getDisplayName() + " (" + (cause == null ? "" : cause.getMessage()) + ")");
  }
}
