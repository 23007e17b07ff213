package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Wrappers of an interface of the library's: each hands on every method of it. */
class WrappersTest {
  /**
   * A client's wrapper of a batch handler handed on the methods without a default, and no others.
   */
  @Test
  void wrappersOverrideDefaultMethodsToo() throws Exception {
    List<Class<?>> wrappers = new ArrayList<>();
    List<String> missing = new ArrayList<>();
    for (Class<?> type : classes()) {
      for (Class<?> face : type.getInterfaces()) {
        if (isOurs(face) && holds(type, face)) {
          wrappers.add(type);
          missing.addAll(notOverridden(type, face));
        }
      }
    }

    assertThat(missing).isEmpty();
    assertThat(wrappers).extracting(Class::getSimpleName).contains("Announcing");
  }

  private static boolean isOurs(Class<?> face) {
    return face.getName().startsWith("dev.mullion.");
  }

  private static boolean holds(Class<?> type, Class<?> face) {
    return Stream.of(type.getDeclaredFields())
        .filter(field -> !Modifier.isStatic(field.getModifiers()))
        .map(Field::getType)
        .anyMatch(face::equals);
  }

  private static List<String> notOverridden(Class<?> type, Class<?> face) {
    List<String> missing = new ArrayList<>();
    for (Method method : face.getMethods()) {
      boolean own = Stream.of(type.getMethods())
          .filter(each -> each.getName().equals(method.getName()))
          .filter(
              each -> List.of(each.getParameterTypes()).equals(List.of(method.getParameterTypes())))
          .anyMatch(each -> !each.getDeclaringClass().isInterface());
      if (!own && !Modifier.isStatic(method.getModifiers())) {
        missing.add(type.getSimpleName() + " drops " + method.getName());
      }
    }
    return missing;
  }

  private static List<Class<?>> classes() throws Exception {
    Path root = Path.of(
        FrameFormat.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    ClassLoader loader = FrameFormat.class.getClassLoader();
    List<Class<?>> classes = new ArrayList<>();
    try (Stream<Path> files = Files.walk(root.resolve("dev"))) {
      for (Path file : files.filter(each -> each.toString().endsWith(".class")).toList()) {
        String path = root.relativize(file).toString();
        String name = path.substring(0, path.length() - ".class".length());
        classes.add(Class.forName(name.replace('/', '.'), false, loader));
      }
    } catch (IOException e) {
      throw new AssertionError(root + " cannot be read", e);
    }
    return classes;
  }
}
