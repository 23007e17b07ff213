package dev.mullion.rpc;

import io.opentelemetry.api.OpenTelemetry;
import io.opentelemetry.api.trace.SpanContext;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * An OpenTelemetry whose failures do not affect calls. Exceptions of its tracers, spans, meters and
 * propagators are counted and logged. A no-op instance then supplies the result.
 */
final class GuardedTelemetry implements InvocationHandler {
  private static final Set<String> GUARDED = Set.of(
      "io.opentelemetry.api",
      "io.opentelemetry.api.metrics",
      "io.opentelemetry.api.trace",
      "io.opentelemetry.context.propagation");

  private final Object guarded;
  private final Object noop;
  private final LongAdder failures;

  private GuardedTelemetry(Object guarded, Object noop, LongAdder failures) {
    this.guarded = guarded;
    this.noop = noop;
    this.failures = failures;
  }

  /** Returns a guarded OpenTelemetry that counts the exceptions of the given one. */
  static OpenTelemetry of(OpenTelemetry telemetry, LongAdder failures) {
    return (OpenTelemetry) guarded(OpenTelemetry.class, telemetry, OpenTelemetry.noop(), failures);
  }

  private static Object guarded(Class<?> type, Object guarded, Object noop, LongAdder failures) {
    return Proxy.newProxyInstance(
        type.getClassLoader(),
        new Class<?>[] {type},
        new GuardedTelemetry(guarded, noop, failures));
  }

  @Override
  public @Nullable Object invoke(Object proxy, Method method, Object @Nullable [] arguments)
      throws Throwable {
    Object[] known = unguarded(arguments);
    Object result;
    try {
      result = method.invoke(guarded, known);
    } catch (InvocationTargetException failed) {
      ObserverFailures.failed(failures, guarded, failed.getTargetException());
      return method.invoke(noop, known);
    }
    Class<?> type = method.getReturnType();
    if (type == void.class || (result != null && !isGuarded(type))) {
      return result;
    }
    Object without = method.invoke(noop, known);
    return result == null || without == null ? without : guarded(type, result, without, failures);
  }

  private static boolean isGuarded(Class<?> type) {
    return type.isInterface()
        && type != SpanContext.class
        && GUARDED.contains(type.getPackageName());
  }

  /** Unwraps arguments, since a library knows only its own objects. */
  private static Object @Nullable [] unguarded(Object @Nullable [] arguments) {
    if (arguments == null) {
      return null;
    }
    Object[] known = arguments.clone();
    for (int i = 0; i < known.length; i++) {
      known[i] = known[i] instanceof Object[] several ? unguarded(several) : unguarded(known[i]);
    }
    return known;
  }

  private static Object unguarded(Object argument) {
    return argument != null
            && Proxy.isProxyClass(argument.getClass())
            && Proxy.getInvocationHandler(argument) instanceof GuardedTelemetry known
        ? known.guarded
        : argument;
  }
}
