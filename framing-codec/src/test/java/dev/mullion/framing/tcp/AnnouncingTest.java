package dev.mullion.framing.tcp;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A client's batch handler hears all that a server's hears. */
class AnnouncingTest {
  @Test
  void everyCallReachesTheHandlerOnce() throws Exception {
    for (Method method : BatchHandler.class.getMethods()) {
      List<String> calls = new ArrayList<>();
      BatchHandler handler = (BatchHandler) Proxy.newProxyInstance(
          BatchHandler.class.getClassLoader(),
          new Class<?>[] {BatchHandler.class},
          (proxy, called, arguments) -> {
            calls.add(called.getName());
            return null;
          });
      BatchHandler announcing = new Announcing(handler, opened -> calls.add("announced"));

      method.invoke(announcing, new Object[method.getParameterCount()]);

      List<String> expected = method.getName().equals("opened")
          ? List.of("announced", "opened")
          : List.of(method.getName());
      assertThat(calls).isEqualTo(expected);
    }
  }
}
