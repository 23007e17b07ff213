package dev.mullion.framing.testing;

import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.TestInstanceFactoryContext;
import org.junit.jupiter.api.extension.TestInstancePreConstructCallback;

/**
 * Fails a test that leaves a Netty buffer unreleased, and shows where the buffer was made.
 *
 * <p>A test answers for the buffers made from the creation of its instance to the closing of its
 * {@code @AutoClose} fields, on any thread; its class answers for those made outside its tests,
 * such as in {@code @BeforeAll}. A test that fails for another reason is checked too: the leak is
 * then a suppressed exception of that failure. Tests must not run in parallel in one JVM.
 */
public final class LeakExtension
    implements BeforeAllCallback, TestInstancePreConstructCallback, BeforeEachCallback {
  /** For tests that leak on purpose, and need not wait for so long. */
  static final String LOOKS = "mullion.leaks.looks";

  static {
    // Netty reads it when the class of the detector is initialized.
    System.setProperty("io.netty.util.LeakPresenceDetector.trackCreationStack", "true");
    LeakDetector.install();
  }

  /** Called by JUnit. */
  public LeakExtension() {}

  @Override
  public ExtensionContextScope getTestInstantiationExtensionContextScope(ExtensionContext root) {
    return ExtensionContextScope.TEST_METHOD;
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    watch(context);
  }

  @Override
  public void preConstructTestInstance(
      TestInstanceFactoryContext factory, ExtensionContext context) {
    watch(context);
  }

  /** For the tests of one shared instance, which was made before. */
  @Override
  public void beforeEach(ExtensionContext context) {
    watch(context);
  }

  /** JUnit closes what is in a context's store at the very end, the first stored last. */
  private static void watch(ExtensionContext context) {
    int looks =
        context.getConfigurationParameter(LOOKS, Integer::valueOf).orElse(LeakDetector.LOOKS);
    context
        .getStore(Namespace.create(LeakExtension.class))
        .computeIfAbsent(
            context.getUniqueId(), id -> LeakDetector.watch(context.getDisplayName(), looks));
  }
}
