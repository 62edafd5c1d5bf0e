const WIDTH = 120;
const HEIGHT = 22;

/** A small curve of values from 0 up, newest at the right. Everything it shows is also beside it as text. */
export function Sparkline({ values, slots }: { readonly values: readonly number[]; readonly slots: number }) {
  const top = Math.max(1e-9, ...values);
  const start = slots - values.length;
  const points = values.map((value, index) => {
    const x = ((start + index) / Math.max(1, slots - 1)) * WIDTH;
    return `${x.toFixed(1)},${(HEIGHT - 1.5 - (value / top) * (HEIGHT - 4)).toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <path class="base" d={`M0 ${HEIGHT - 1}H${WIDTH}`} />
      {points.length > 1 && <polyline points={points.join(" ")} />}
    </svg>
  );
}
