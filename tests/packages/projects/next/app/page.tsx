export default function Page() {
  return <p>An order page.</p>;
}
