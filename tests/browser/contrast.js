() => {
  const lin=c=>{c/=255;return c<=.03928?c/12.92:((c+.055)/1.055)**2.4};
  const L=([r,g,b])=>.2126*lin(r)+.7152*lin(g)+.0722*lin(b);
  const cv=document.createElement('canvas');cv.width=cv.height=1;const cx=cv.getContext('2d',{willReadFrequently:true});
  const parse=s=>{cx.clearRect(0,0,1,1);cx.fillStyle=s;cx.fillRect(0,0,1,1);const d=cx.getImageData(0,0,1,1).data;return [d[0],d[1],d[2],d[3]/255]};
  const over=(t,b)=>[0,1,2].map(i=>t[i]*t[3]+b[i]*(1-t[3]));
  const ground=el=>{const st=[];for(let e=el;e;e=e.parentElement){st.push(parse(getComputedStyle(e).backgroundColor))} let c=[255,255,255];
    for(const b of st.reverse()) c=over(b,c); return c};
  const opac=el=>{let o=1;for(let e=el;e;e=e.parentElement)o*=+getComputedStyle(e).opacity;return o};
  const out={};
  const add=(k,r,txt)=>{const key=k; if(!out[key]||out[key][0]>r) out[key]=[+r.toFixed(2),txt]};
  for(const el of document.querySelectorAll('.lm-root, .lm-root *')){
    const cs=getComputedStyle(el); const b=el.getBoundingClientRect(); if(!b.width||!b.height||cs.visibility==='hidden') continue;
    const g=ground(el), o=opac(el);
    const own=[...el.childNodes].some(n=>n.nodeType===3&&n.data.trim().replace('\u200b',''));
    if(own && !el.disabled && !el.closest(':disabled')){ const isSvg = el instanceof SVGElement; const c=parse(isSvg?cs.fill:cs.color); c[3]*=o; const t=over(c,g);
      if (c[3]>0) { const a=L(t),d=L(g),r=(Math.max(a,d)+.05)/(Math.min(a,d)+.05); if(r<4.5) add('text '+el.tagName+'.'+(el.getAttribute('class')||'')+' in '+(el.parentElement.getAttribute('class')||''),r,el.textContent.slice(0,20)); } }
    if((el.tagName==='INPUT'||el.tagName==='TEXTAREA')&&el.placeholder){ const p=getComputedStyle(el,'::placeholder'); const c=parse(p.color); c[3]*=o*+p.opacity; const a=L(over(c,g)),d=L(g),r=(Math.max(a,d)+.05)/(Math.min(a,d)+.05); if(r<4.5) add('placeholder '+el.className,r,el.placeholder); }
    if(['INPUT','TEXTAREA','SELECT'].includes(el.tagName)&&el.type!=='checkbox'&&el.type!=='radio'&&!el.disabled&&!el.matches(':focus') || el.classList.contains('lm-grow')&&!el.matches(':focus-within')){ const w=parseFloat(cs.borderTopWidth)||parseFloat(cs.borderBottomWidth); if(w){const c=parse(cs.borderBottomColor);c[3]*=o; const pg=ground(el.parentElement); const a=L(over(c,pg)); const r=Math.min(...[pg].map(x=>{const d=L(x);return (Math.max(a,d)+.05)/(Math.min(a,d)+.05)})); if(r<3) add('edge '+el.tagName+'.'+el.className,r,el.getAttribute('aria-label')||'');} }
    if(el.classList&&el.classList.contains('lm-icon')){ const c=parse(getComputedStyle(el).color); c[3]*=o; const a=L(over(c,g)),d=L(g),r=(Math.max(a,d)+.05)/(Math.min(a,d)+.05); if(r<3 && !el.closest(':disabled')) add('icon '+el.getAttribute('class')+' in '+(el.parentElement.className),r,''); }
  }
  return out; }
