import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/** JSON of maps, lists, strings, numbers, booleans and null, in the order in which it was put together. */
final class Json {
    /** The characters that Gson writes as escapes too, unless told otherwise. */
    private static final String HTML = "<>&='";

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    /** An object of names and values that follow one another. */
    static Map<String, Object> object(Object... namesAndValues) {
        Map<String, Object> made = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            made.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return made;
    }

    /** As Gson writes an element of its own tree: no spaces, nulls included, nothing escaped for HTML. */
    static String written(Object value) {
        return written(value, "", null);
    }

    /** As Gson writes an object of Java: characters that HTML knows are escaped. */
    static String writtenForHtml(Object value) {
        return written(value, HTML, null);
    }

    /** For a file that people read. */
    static String laidOut(Object value) {
        return written(value, "", "");
    }

    private static String written(Object value, String escaped, String indent) {
        if (value instanceof Map<?, ?> map) {
            StringJoiner all = block("{", "}", indent, map.isEmpty());
            map.forEach((name, each) -> all.add(quoted((String) name, escaped) + (indent == null ? ":" : ": ") + written(each, escaped, deeper(indent))));
            return all.toString();
        }
        if (value instanceof List<?> list) {
            StringJoiner all = block("[", "]", indent, list.isEmpty());
            list.forEach(each -> all.add(written(each, escaped, deeper(indent))));
            return all.toString();
        }
        return value instanceof String string ? quoted(string, escaped) : String.valueOf(value);
    }

    private static StringJoiner block(String opening, String closing, String indent, boolean empty) {
        if (indent == null || empty) {
            return new StringJoiner(",", opening, closing);
        }
        return new StringJoiner(",\n" + indent + " ", opening + "\n" + indent + " ", "\n" + indent + closing);
    }

    private static String deeper(String indent) {
        return indent == null ? null : indent + " ";
    }

    private static String quoted(String string, String escaped) {
        StringBuilder all = new StringBuilder("\"");
        for (char each : string.toCharArray()) {
            if (each == '"' || each == '\\') {
                all.append('\\').append(each);
            } else if (each < ' ' || each == '\u2028' || each == '\u2029' || escaped.indexOf(each) >= 0) {
                int known = "\b\t\n\f\r".indexOf(each);
                all.append(known < 0 ? String.format("\\u%04x", (int) each) : "\\" + "btnfr".charAt(known));
            } else {
                all.append(each);
            }
        }
        return all.append('"').toString();
    }

    /** Reads what `written` writes. Numbers are long or double. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> read(String text) {
        return (Map<String, Object>) new Json(text).value();
    }

    private Object value() {
        switch (text.charAt(at)) {
            case '{':
                Map<String, Object> map = new LinkedHashMap<>();
                for (at++; text.charAt(at) != '}'; skip(',')) {
                    String name = string();
                    skip(':');
                    map.put(name, value());
                }
                at++;
                return map;
            case '[':
                List<Object> list = new ArrayList<>();
                for (at++; text.charAt(at) != ']'; skip(',')) {
                    list.add(value());
                }
                at++;
                return list;
            case '"':
                return string();
            default:
                int from = at;
                while (at < text.length() && ",]}".indexOf(text.charAt(at)) < 0) {
                    at++;
                }
                return constant(text.substring(from, at));
        }
    }

    private static Object constant(String word) {
        return switch (word) {
            case "null" -> null;
            case "true" -> true;
            case "false" -> false;
            default -> word.matches("-?\\d{1,18}") ? (Object) Long.valueOf(word) : new java.math.BigDecimal(word);
        };
    }

    private void skip(char expected) {
        if (text.charAt(at) == expected) {
            at++;
        }
    }

    private String string() {
        StringBuilder all = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            if (text.charAt(at) != '\\') {
                all.append(text.charAt(at));
                continue;
            }
            char escape = text.charAt(++at);
            if (escape == 'u') {
                all.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                at += 4;
            } else {
                int known = "btnfr".indexOf(escape);
                all.append(known < 0 ? escape : "\b\t\n\f\r".charAt(known));
            }
        }
        at++;
        return all.toString();
    }
}
